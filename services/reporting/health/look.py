"""
One look at the whole system, and what of it somebody has to do something about. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from services.common.ui.words import Words
from services.reporting.health.broker import Group
from services.reporting.health.documents import Untouched
from services.reporting.health.processes import Process

Tone = Literal["bad", "warn"]
MANY: Final = 1_000  # records behind: more than a worker has in hand
LATE: Final = timedelta(seconds=60)
SILENT: Final = timedelta(seconds=15)
DUE: Final = 100


@dataclass(frozen=True, slots=True)
class Sender:
    """
    A channel (or ``webhook:<partner>``) as notify sees its provider.
    """

    name: str
    up: bool
    down_since: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Projector:
    """
    The last beat of the projector, until when everything is in the documents (``as_of``) and in the figures
    (``figures_as_of``), and how many days' sheets are still to be made.
    """

    beat_at: datetime | None
    as_of: datetime | None
    figures_as_of: datetime | None
    days_to_make: int


@dataclass(frozen=True, slots=True)
class Look:
    """
    What was found. What could not be asked is None (``groups``: Kafka; ``projector``, ``untouched``: the database).
    """

    at: datetime
    processes: Sequence[Process]
    groups: Sequence[Group] | None
    projector: Projector | None
    untouched: Untouched | None
    untouched_days: int

    @property
    def senders(self) -> list[Sender]:
        """
        As notify's worker told; none if it did not.
        """
        told = self._of_notify("senders")
        return [
            Sender(
                name,
                up=bool(one.get("up")),
                down_since=_moment(one.get("down_since")),
                last_error=one.get("last_error"),
                last_error_at=_moment(one.get("last_error_at")),
            )
            for name, one in told.items()
        ]

    @property
    def messages(self) -> Mapping[str, int]:
        """
        How many requests have a message that is due, waits for its time, or whose outcome Kafka has not taken.
        """
        return self._of_notify("messages")

    def _of_notify(self, name: str) -> dict[str, Any]:
        for process in self.processes:
            if isinstance(told := process.said.get(name), dict):
                return told
        return {}


@dataclass(frozen=True, slots=True)
class Trouble:
    """
    Something that somebody has to look at: what it is, and what to do. ``anchor``: where on the page it stands.
    """

    tone: Tone
    anchor: str
    what: Words
    todo: Words


def troubles(look: Look) -> list[Trouble]:
    """
    All of it, the worst first.
    """
    found = [*_of_processes(look), *_of_kafka(look), *_of_projector(look), *_of_senders(look)]
    return sorted(found, key=lambda trouble: trouble.tone)


def _of_processes(look: Look) -> Iterator[Trouble]:
    for process in look.processes:
        name = process.name
        if process.error:
            yield Trouble(
                "bad",
                "processes",
                Words(f"{name} yanıt vermiyor ({process.error}).", f"{name} does not answer ({process.error})."),
                Words(
                    "Süreç çalışıyor mu, günlüğünde ne yazıyor bakın (make status, .run/logs).",
                    "See whether it runs and what its log says (make status, .run/logs).",
                ),
            )
        elif not process.ready:
            why = process.because or "?"
            yield Trouble(
                "bad",
                "processes",
                Words(f"{name} çalışıyor ama hazır değil: {why}.", f"{name} runs but is not ready: {why}."),
                Words(
                    "Beklediği şey gelince kendiliğinden sürer; durduysa nedenini giderip yeniden başlatın.",
                    "It goes on by itself when what it waits for is back; if it stopped, mend the cause, restart.",
                ),
            )
        if entries := process.counts.get("spool_entries"):
            yield Trouble(
                "warn",
                "processes",
                Words(
                    f"{name}: {entries:.0f} kayıt Kafka'yı bekliyor (diskte güvende).",
                    f"{name}: {entries:.0f} inputs wait for Kafka (safe on its disk).",
                ),
                Words("Kafka gelince kendiliğinden boşalır.", "It drains by itself when Kafka is back."),
            )


def _of_kafka(look: Look) -> Iterator[Trouble]:
    if look.groups is None:
        yield Trouble(
            "bad",
            "groups",
            Words("Kafka yanıt vermiyor.", "Kafka does not answer."),
            Words(
                "Broker çalışıyor mu bakın. Kabul edilen başvurular intake'in diskinde birikir, kaybolmaz.",
                "See whether the broker runs. What is accepted meanwhile is kept on intake's disk, nothing is lost.",
            ),
        )
        return
    for group in look.groups:
        if group.members == 0:
            yield Trouble(
                "bad",
                "groups",
                Words(f"{group.name} grubunda hiç süreç yok.", f"No process is in the group {group.name}."),
                Words("Bu grubun sürecini başlatın.", "Start the process of this group."),
            )
        elif group.lag >= MANY:
            yield Trouble(
                "warn",
                "groups",
                Words(f"{group.name} {group.lag} kayıt geride.", f"{group.name} is {group.lag} records behind."),
                Words(
                    "Azalıyorsa bekleyin; artıyorsa süreç sayısını artırın.",
                    "Wait while it goes down; start more processes if it grows.",
                ),
            )
        if group.dead:
            yield Trouble(
                "warn",
                "letters",
                Words(
                    f"{group.name}: {group.dead} kayıt işlenemedi ve geri gönderilmedi.",
                    f"{group.name}: {group.dead} records could not be handled and were not sent back.",
                ),
                Words(
                    "Nedenine bakın; düzelten sürüm kurulduysa geri gönderin.",
                    "Look at the reason; send them back once the version that takes them is installed.",
                ),
            )


def _of_projector(look: Look) -> Iterator[Trouble]:
    projector = look.projector
    if projector is None:
        yield Trouble(
            "bad",
            "projector",
            Words("Veritabanı yanıt vermiyor.", "The database does not answer."),
            Words("MongoDB çalışıyor mu bakın.", "See whether MongoDB runs."),
        )
    elif projector.beat_at is None or look.at - projector.beat_at > SILENT:
        yield Trouble(
            "bad",
            "projector",
            Words("Raporlama (projector) kalp atışı yazmıyor.", "The projector writes no heartbeat."),
            Words("Projector sürecini başlatın; kaldığı yerden sürer.", "Start the projector; it goes on from there."),
        )
    elif projector.figures_as_of is None or look.at - projector.figures_as_of > LATE:
        yield Trouble(
            "warn",
            "projector",
            Words("Rakamlar bir dakikadan eski.", "The figures are more than a minute old."),
            Words(
                "Projector yetişmeye çalışıyor; gecikmesi azalıyor mu bakın.",
                "The projector is catching up; see whether its lag goes down.",
            ),
        )


def _of_senders(look: Look) -> Iterator[Trouble]:
    for sender in look.senders:
        if not sender.up:
            yield Trouble(
                "bad",
                "senders",
                Words(
                    f"{sender.name} sağlayıcısına ulaşılamıyor ({sender.last_error}).",
                    f"The provider of {sender.name} cannot be reached ({sender.last_error}).",
                ),
                Words(
                    "Mesajlar bekler ve yeniden denenir; uzun sürerse sağlayıcıyı arayın, hesabı denetleyin.",
                    "Messages wait and are tried again; if it lasts, call the provider and check the account.",
                ),
            )
    if (due := look.messages.get("due", 0)) > DUE:
        yield Trouble(
            "warn",
            "senders",
            Words(f"{due} başvurunun mesajı sırada.", f"Messages of {due} requests are due."),
            Words("Azalıyor mu bakın.", "See whether it goes down."),
        )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
