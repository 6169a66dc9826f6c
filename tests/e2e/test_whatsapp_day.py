"""
The recorded day of WhatsApp on the whole stack, fifteen times as fast as it happened, with a stand-in for Meta: the
same requests, replies and sayings as in the pure play of it (tests/unit/intake/test_whatsapp_day.py), each saying once
on the citizen's telephone; and once more all the bodies, which lead to nothing more.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final, TypeVar

import httpx
import pytest
from PIL import Image

from deploy.observe import Observer
from deploy.stack.stack import Stack
from services.common.contracts import topics
from services.common.contracts.events import (
    ContactChanged,
    Event,
    Lifecycle,
    MessageWanted,
    NotificationSent,
)
from services.common.contracts.ids import derived_id, message_hash
from services.common.contracts.vocabulary import CLOSED, Channel, NotifyVia
from services.intake.conversations.whatsapp import SCHEME, signature
from tests.conftest import KIND
from tests.ports import free_port_base
from tests.standins.running import in_thread
from tests.standins.whatsapp import PHONE_NUMBER_ID, TOKEN, StandInWhatsApp, stand_in_whatsapp
from tests.unit.intake.whatsapp_day import Day, Moment, bytes_of, numbers_of, outcome, recorded_day, rows_of
from tests.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long]
E = TypeVar("E", bound=Event)
PACE: Final = 15
LONG_ENOUGH: Final = timedelta(minutes=14)  # nothing in a conversation lasts longer, so longer pauses are cut to this
APART: Final = timedelta(seconds=20)
WATCHED: Final = (
    topics.CONTACTS, topics.RECEIVED, topics.UPDATES, topics.MESSAGES_OUT, topics.LIFECYCLE, topics.NOTIFICATIONS,
)  # fmt: skip
DAY: Final = recorded_day()
OGG: Final = b"OggS\x00\x02" + bytes(60)
FILM: Final = b"\x00\x00\x00\x18ftypmp42" + bytes(60)
PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n0\n%%EOF\n"
)


def picture(name: str) -> bytes:
    """
    A JPEG of its own for each name.
    """
    out = BytesIO()
    red, green, blue = bytes.fromhex(derived_id(name))[:3]
    Image.new("RGB", (64, 48), (red, green, blue)).save(out, "JPEG")
    return out.getvalue()


def file_of(media_id: str) -> bytes | None:
    """
    What stands behind a media id of the day; None for what Meta does not have any more.
    """
    kind = media_id.partition(".")[0]
    return {"IMG": picture(media_id), "LATER": PDF, "AUDIO": OGG, "VIDEO": FILM}.get(kind)


def people_in(moment: Moment) -> set[str]:
    """
    Whom of the day this concerns.
    """
    names = [moment.closed] if moment.closed else [row["id"] for row in rows_of(moment.body)]
    return {name.split(".")[1] for name in names}


def timeline(day: Day) -> list[tuple[timedelta, Moment]]:
    """
    When each moment is played: people begin one soon after the other, and nobody pauses for longer than matters.
    """
    everybody = Counter(who for moment in day.moments for who in people_in(moment))
    begins = {who: number * APART for number, (who, _) in enumerate(everybody.most_common())}
    last: dict[str, tuple[timedelta, Moment]] = {}
    found = []
    for moment in day.moments:
        people = people_in(moment)
        offset = max((begins[who] for who in people), default=timedelta(0))
        for before_offset, before in [last[who] for who in people if who in last]:
            offset = max(offset, before_offset + min(moment.at - before.at, LONG_ENOUGH))
        last |= dict.fromkeys(people, (offset, moment))
        found.append((offset, moment))
    return sorted(found, key=lambda row: row[0])


class Played:
    """
    The day on a stack: ``Names`` for what stands behind its names there.
    """

    def __init__(self, stack: Stack, meta: StandInWhatsApp) -> None:
        self.env = stack.env
        self.meta = meta
        self.http = httpx.Client(headers={"X-API-Key": self.env["API_KEY"]}, timeout=30)
        self.topics = Observer(self.env["KAFKA_BOOTSTRAP_SERVERS"], [topic.name for topic in WATCHED])
        self.numbers = numbers_of(DAY, self.env["INTAKE_ID_SECRET"].encode())
        self.media: dict[str, dict[str, Any]] = {}
        self.events: dict[str, Event] = {}
        self.plan = timeline(DAY)
        self.began = datetime.now(UTC) - self.plan[-1][0] - timedelta(minutes=1)  # of the day, all of it in the past

    def close(self) -> None:
        self.topics.close()
        self.http.close()

    # --- what stands behind the day's names ---

    def number_of(self, name: str) -> str:
        return next(number for number, known in self.numbers.items() if known == name)

    def name_of(self, request_id: str) -> str:
        return self.numbers[request_id]

    def closing_of(self, name: str) -> int | None:
        number = self.number_of(name)
        closed = [one for one in self.seen(Lifecycle) if one.request_id == number and one.status in CLOSED]
        return min((one.seq for one in closed), default=None)

    def ours_of(self, name: str) -> str:
        number = self.number_of(name)

        def sent() -> str | None:
            for one in self.seen(NotificationSent):
                if one.request_id == number and one.channel is NotifyVia.WHATSAPP:
                    return next(
                        t.id for t in self.meta.taken if message_hash(Channel.WHATSAPP, t.id) == one.message_hash
                    )
            return None

        found: str = eventually(sent, what=f"a message about {name}")
        return found

    def person_of(self, contact_id: str) -> str:
        names = [one.name for one in self.seen(ContactChanged) if one.contact_id == contact_id and one.name]
        return names[-1] if names else contact_id

    def seen(self, kind: type[E]) -> list[E]:
        self.look()
        return [one for one in self.events.values() if isinstance(one, kind)]

    def look(self) -> None:
        """
        Read on. A record that stands there twice counts once.
        """
        while new := self.topics.poll():
            for one in new:
                assert one.event is not None, f"what stands on {one.topic} is no event of it"
                self.events.setdefault(one.event.meta.id, one.event.data)

    # --- what happens ---

    def run(self) -> None:
        """
        Play the day in its time.
        """
        began, closings = time.monotonic(), list[Future[None]]()
        with ThreadPoolExecutor(2) as clerks:
            for offset, moment in self.plan:
                left = began + offset.total_seconds() / PACE - time.monotonic()
                time.sleep(max(0.0, left))  # the day's own time, not a wait for something
                if moment.closed is not None:
                    closings.append(clerks.submit(self.close_request, self.number_of(moment.closed)))
                else:
                    self.post(offset, moment)
        for closing in closings:
            closing.result()

    def post(self, offset: timedelta, moment: Moment) -> None:
        body = self.with_files(json.loads(bytes_of(moment.body, self)))
        for row in [row for row in rows_of(body) if "timestamp" in row]:
            sent = self.began + offset - (moment.at - datetime.fromtimestamp(int(row["timestamp"]), UTC))
            row["timestamp"] = str(int(sent.timestamp()))
        content = json.dumps(body).encode()
        headers = {"X-Hub-Signature-256": SCHEME + signature(content, self.env["INTAKE_WHATSAPP_APP_SECRET"].encode())}
        answer = self.http.post(f"{self.env['INTAKE_URL']}/webhooks/whatsapp", content=content, headers=headers)
        assert answer.status_code == 200, answer.text

    def with_files(self, body: Any) -> Any:
        """
        The body with the ids that Meta gave the files in it.
        """
        for row in rows_of(body):
            content = row.get(row.get("type", ""))
            name = content.get("id", "") if isinstance(content, dict) else ""
            data = file_of(name)
            if data is not None:
                if name not in self.media:
                    self.media[name] = self.meta.add_media(data, content["mime_type"])
                content |= self.media[name]
        return body

    def close_request(self, number: str) -> None:
        """
        Whoever holds the request settles it.
        """

        def holder() -> str | None:
            answer = self.http.get(f"{self.env['REPORTING_URL']}/v1/requests/{number}")
            return answer.json().get("department") if answer.is_success else None

        department = eventually(holder, what="the department of a request")
        for step in ({"action": "accept"}, {"action": "resolve", "outcome": "resolved", "note_public": "Yapıldı."}):
            path = f"{self.env['INTAKE_URL']}/v1/requests/{number}/updates"
            answer = self.http.post(path, json={"department": department} | step)
            assert answer.status_code == 202, answer.text

    def repeat(self) -> None:
        """
        Post every body once more, and return when the worker has read them all.
        """
        for offset, moment in self.plan:
            if moment.body is not None:
                self.post(offset, moment)
        asked = time.time()

        def idle() -> bool:
            state = self.http.get(f"http://127.0.0.1:{self.env['INTAKE_WORKER_OPS_PORT']}/readyz").json()
            return state.get("lag") == 0 and state.get("lag_asked_at", 0) > asked

        eventually(idle, what="the worker's reading")

    def outcome(self) -> dict[str, list[str]]:
        """
        What became of it, each person's rows in the alphabet's order: they stand on several topics.
        """
        self.look()
        found = outcome(list(self.events.values()), self)
        return {person: ordered(rows) for person, rows in found.items()}

    def on_telephones(self) -> dict[str, int]:
        """
        How often each saying that was wanted reached its person.
        """
        keys = {
            one.wanted_id: derived_id("notify", f"m_{one.wanted_id}", f"say_{one.say}", one.contact_id, "1")
            for one in self.seen(MessageWanted)
        }
        return {wanted_id: len(self.meta.by_key(key)) for wanted_id, key in keys.items()}


def ordered(rows: list[Any]) -> list[str]:
    return sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows)


EXPECTED: Final = {person: ordered(rows) for person, rows in DAY.expected.items()}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """
    The day, played on a stack of its own: Meta is a stand-in, and conversations are in a hurry.
    """
    with in_thread(stand_in_whatsapp) as meta, pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "INTAKE_CONVERSATION_PACE": str(PACE),
            "INTAKE_WHATSAPP_TOKEN": TOKEN,
            "INTAKE_WHATSAPP_GRAPH_URL": meta.url,
            "NOTIFY_WHATSAPP_TOKEN": TOKEN,
            "NOTIFY_WHATSAPP_URL": meta.url,
            "NOTIFY_WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
        }.items():
            environment.setenv(name, value)
        stack = Stack(tmp_path_factory.mktemp("whatsapp"), free_port_base(), KIND)
        try:
            stack.up(services=True)
            play = Played(stack, meta)
            play.run()
            yield play
            play.close()
        finally:
            stack.down()


def test_the_day_leads_to_what_is_written_down(played: Played) -> None:
    assert eventually_equal(played) == {}


def test_each_saying_is_on_its_persons_telephone_once(played: Played) -> None:
    eventually_equal(played)
    eventually(lambda: all(played.on_telephones().values()), what="what was to be said")
    assert set(played.on_telephones().values()) == {1}


def test_all_bodies_once_more_lead_to_nothing_more(played: Played) -> None:
    eventually_equal(played)
    played.repeat()
    assert different(played.outcome()) == {}
    assert set(played.on_telephones().values()) == {1}


def different(found: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """
    Of whom it came otherwise: what is found too much, and what is missing.
    """
    people = sorted({*found, *EXPECTED})
    both = {who: (Counter(found.get(who, [])), Counter(EXPECTED.get(who, []))) for who in people}
    return {
        who: (list((there - wanted).elements()), list((wanted - there).elements()))
        for who, (there, wanted) in both.items()
        if there != wanted
    }


def eventually_equal(played: Played) -> dict[str, tuple[list[str], list[str]]]:
    """
    Nothing once the outcome is what it should be, or what is different when patience ends.
    """
    deadline = time.monotonic() + 90
    while (wrong := different(played.outcome())) and time.monotonic() < deadline:
        time.sleep(0.5)
    return wrong
