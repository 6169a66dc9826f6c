"""
A department's side of the wire: read ``requests.dept.<slug>``, write ``updates.dept.<slug>``, wait for the answer.
"""

import asyncio
import contextlib
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Final
from zoneinfo import ZoneInfo

from kafka.errors import KafkaError

from deploy.terminal import ToolError, no_broker, reader, safe
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import ContractError, Metadata, Received, Record, decode, encode
from services.common.contracts.events import Lifecycle, PartAsked, UpdateRefused, UpdateSubmitted
from services.common.contracts.ids import derived_id, family_of
from services.common.contracts.topics import department_topic, department_updates_topic
from services.common.contracts.vocabulary import STATUS_LABELS
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.common.kit.settings import KafkaSettings

REMEMBERED: Final = 10_000
MOST_PARTS: Final = 10
ZONE: Final = ZoneInfo("Europe/Istanbul")


@dataclass(frozen=True, slots=True)
class Seen:
    """
    One record of the topic: an event, or why it is none.
    """

    offset: int
    event: Received | None
    why_not: str = ""


def department(slug: str) -> str:
    """
    The slug, if there is such a department. Raises ``ToolError`` naming the nearest ones.
    """
    return known("department", slug, catalogue().departments)


def known(what: str, name: str, names: Iterable[str]) -> str:
    """
    The name, if it is one of ``names``. Raises ``ToolError`` naming the nearest ones.
    """
    there = list(names)
    if name in there:
        return name
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.4) or sorted(there)
    raise ToolError(f"there is no {what} {safe(name)!r}; perhaps: {', '.join(near)}")


def moment(text: str) -> datetime:
    """
    A time as typed; without a zone it is Istanbul's. Raises ``ToolError``.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ToolError(f"{safe(text)!r} is no time such as 2026-06-03T09:00") from None
    return found if found.tzinfo else found.replace(tzinfo=ZONE)


def parts(given: Sequence[str]) -> tuple[PartAsked, ...]:
    """
    Parts as typed: ``department:service:note``, of which a department or a service is enough. Raises ``ToolError``.
    """
    if not 2 <= len(given) <= MOST_PARTS:
        raise ToolError(f"a request is split into 2 to {MOST_PARTS} parts: give --part so often")
    found = []
    for text in given:
        to, _, rest = text.partition(":")
        service, _, note = rest.partition(":")
        if not (to or service):
            raise ToolError(f"--part {safe(text)!r}: say a department or a service, as in zabita:hatali-park")
        found.append(
            PartAsked(
                to=department(to) if to else None,
                service_code=known("service", service, catalogue().services) if service else None,
                note=note or None,
            )
        )
    return tuple(found)


class Inbox:
    """
    Reads a department's topic, not as a member of any group: watching takes nothing away from anybody.
    """

    def __init__(self, servers: str, slug: str) -> None:
        self._servers = servers
        self._consumer, self._place = reader(servers, department_topic(slug).name)
        self._ids: dict[str, None] = {}

    def __enter__(self) -> "Inbox":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(KafkaError, OSError):
            self._consumer.close()

    def begin(self, moment: datetime | None) -> None:
        """
        Go to the first record at or after the moment; None is the beginning.
        """
        if moment is None:
            self._consumer.seek_to_beginning(self._place)
            return
        found = self._consumer.offsets_for_times({self._place: int(moment.timestamp() * 1000)})[self._place]
        if found is None:
            self.begin_at_the_end()
        else:
            self._consumer.seek(self._place, found.offset)

    def begin_at_the_end(self) -> None:
        """
        Go behind the last record that stands there now.
        """
        self._consumer.seek_to_end(self._place)
        self._consumer.position(self._place)

    def at_the_end(self) -> bool:
        """
        Whether everything was read.
        """
        end: int = self._consumer.end_offsets([self._place])[self._place]
        return bool(self._consumer.position(self._place) >= end)

    def poll(self, timeout_ms: int = 500) -> Iterator[Seen]:
        """
        What came in, waiting a while for the first of it; a repeated event once. Raises ``ToolError``.
        """
        try:
            batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=500).values()
        except (KafkaError, OSError):
            raise no_broker(self._servers) from None
        for record in (record for batch in batches for record in batch):
            try:
                event = decode(record.topic, record.key, record.value, record.headers or ())
            except ContractError as reason:
                yield Seen(record.offset, None, safe(str(reason)))
                continue
            if event.meta.id in self._ids:
                continue
            self._ids[event.meta.id] = None
            if len(self._ids) > REMEMBERED:
                del self._ids[next(iter(self._ids))]
            yield Seen(record.offset, event)


def update_record(slug: str, update: UpdateSubmitted) -> Record:
    """
    The update as a record of the department's own topic. The same ``update_id`` gives the same ce_id: one effect.
    """
    meta = Metadata(
        id=derived_id("department", slug, update.request_id, update.update_id),
        source=f"/departments/{slug}",
        time=update.submitted_at,
        subject=update.request_id,
        correlation_id=family_of(update.request_id),
        causation_id=update.update_id,
    )
    return encode(department_updates_topic(slug), meta, update)


def publish(servers: str, record: Record) -> None:
    """
    Return after the broker acknowledged. Raises ``ToolError``.
    """

    async def send() -> None:
        publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=servers))
        try:
            await publisher.publish(record)
        finally:
            await publisher.close()

    try:
        asyncio.run(send())
    except PublishFailed:
        raise no_broker(servers) from None


def wait_for_answer(inbox: Inbox, update: UpdateSubmitted, seconds: float) -> Lifecycle | None:
    """
    The event that answers the update, or None if there was none in time.
    """
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        for seen in inbox.poll(200):
            data = seen.event.data if seen.event else None
            if isinstance(data, Lifecycle) and (data.request_id, data.update_id) == (
                update.request_id,
                update.update_id,
            ):
                return data
    return None


def verdict(answer: Lifecycle) -> tuple[bool, str]:
    """
    Whether the update was applied, and the answer in words.
    """
    if isinstance(answer, UpdateRefused):
        return False, f"refused: {answer.reason}: {safe(answer.detail)}"
    status = STATUS_LABELS[answer.status].tr if answer.status else "–"
    return True, f"applied: {status}" + (f", now with {answer.department}" if answer.department else "")
