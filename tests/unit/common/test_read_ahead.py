"""
What is read ahead: the order in which it is taken, and what may be acknowledged after it.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.envelope import Received
from services.common.contracts.events import RequestReceived
from services.common.kit.delivery import Delivery, decode_delivery
from services.common.kit.errors import Rejected
from services.common.kit.read_ahead import Pace, Portion, Read, ReadAhead
from services.common.kit.reader import Reader, bounds, look
from services.common.kit.settings import WorkerSettings
from services.common.kit.testing import FakePublisher
from services.common.kit.worker import Loop
from tests.builders import delivery, request

UNBOUNDED = 10**9


def read(offset: int, key: bytes = b"", partition: int = 0, topic: str = "t", value: bytes = b"v") -> Read:
    return Read(None, Delivery(topic, partition, offset, key or b"%d" % offset, value, ()))


def offsets(reads: list[Read]) -> list[int]:
    return [one.delivery.offset for one in reads]


def filled(*reads: tuple[Read, bool]) -> ReadAhead:
    ahead = ReadAhead(UNBOUNDED, UNBOUNDED)
    for one, urgent in reads:
        ahead.put(one, urgent=urgent)
    return ahead


def test_urgent_ones_come_first_and_each_group_in_order_of_arrival() -> None:
    ahead = filled(*((read(n), n % 2 == 1) for n in range(6)))
    assert [offsets(ahead.take(2)) for _ in range(4)] == [[1, 3], [5], [0, 2], [4]]
    assert ahead.take(2) == []


def test_what_waits_with_the_same_key_goes_before_an_urgent_one() -> None:
    ahead = filled((read(0, b"a"), False), (read(1, b"b"), False), (read(2, b"a"), False), (read(3, b"a"), True))
    assert offsets(ahead.take(9)) == [0, 2, 3]
    assert offsets(ahead.take(9)) == [1]


def test_the_same_key_on_another_topic_waits() -> None:
    ahead = filled((read(0, b"a", topic="other"), False), (read(1, b"a"), True))
    assert offsets(ahead.take(9)) == [1]


def test_only_what_has_nothing_unhandled_before_it_is_acknowledged() -> None:
    reads = [read(n) for n in range(4)]
    ahead = filled((reads[0], False), (reads[1], True), (reads[2], False), (reads[3], True))
    assert ahead.handled(ahead.take(9)) == []
    assert ahead.handled(ahead.take(1)) == reads[:2]
    assert ahead.handled(ahead.take(1)) == reads[2:]
    assert len(ahead) == 0


def test_a_partition_does_not_hold_another_back() -> None:
    waiting, urgent = read(0, partition=0), read(7, partition=1)
    ahead = filled((waiting, False), (urgent, True))
    assert ahead.handled(ahead.take(9)) == [urgent]


def test_what_is_held_back_counts_until_it_is_acknowledged() -> None:
    ahead = ReadAhead(2, UNBOUNDED)
    ahead.put(read(0), urgent=False)
    assert not ahead.full
    ahead.put(read(1), urgent=True)
    ahead.handled(ahead.take(9))
    assert (ahead.full, len(ahead)) == (True, 2)
    ahead.handled(ahead.take(9))
    assert (ahead.full, len(ahead)) == (False, 0)


def test_bytes_are_bounded_too() -> None:
    ahead = ReadAhead(UNBOUNDED, 10)
    ahead.put(read(0, value=b"0123456789"), urgent=False)
    assert ahead.full
    ahead.handled(ahead.take(1))
    assert not ahead.full


def test_dropping_gives_back_what_waits_and_what_is_held_back() -> None:
    ahead = filled((read(0), False), (read(1), True), (read(2), True))
    ahead.handled(ahead.take(1))
    assert sorted(offsets(ahead.drop())) == [0, 1, 2]
    assert (len(ahead), ahead.take(9)) == (0, [])


@given(
    st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(0, 2), st.booleans()), max_size=40),
    st.lists(st.one_of(st.just("put"), st.integers(1, 5)), max_size=80),
)
def test_nothing_overtakes_its_key_and_each_partition_is_acknowledged_from_its_beginning(
    records: list[tuple[bytes, int, bool]], steps: list[Any]
) -> None:
    ahead, arriving = ReadAhead(UNBOUNDED, UNBOUNDED), iter(enumerate(records))
    arrived: dict[int, list[Read]] = defaultdict(list)
    taken: list[Read] = []
    acknowledged: dict[int, list[Read]] = defaultdict(list)

    def handle(limit: int) -> int:
        batch = ahead.take(limit)
        taken.extend(batch)
        for one in ahead.handled(batch):
            acknowledged[one.delivery.partition].append(one)
        for partition, done in acknowledged.items():
            assert done == arrived[partition][: len(done)]
            assert all(one in taken for one in done)
        return len(batch)

    for step in [*steps, *["put"] * len(records)]:
        if step != "put":
            handle(step)
        elif (following := next(arriving, None)) is not None:
            offset, (key, partition, urgent) = following
            arrived[partition].append(one := read(offset, key + b"%d" % partition, partition))
            ahead.put(one, urgent=urgent)
    while handle(3):
        pass
    assert acknowledged == arrived
    for place in {one.place for one in taken}:
        of_place = offsets([one for one in taken if one.place == place])
        assert of_place == sorted(of_place)


# -- what is read ------------------------------------------------------------------------------------------------------


def test_portions_begin_small_grow_while_they_are_quick_and_shrink_to_one_while_they_are_slow() -> None:
    portion = Portion(200, patience=15)
    grown = [portion.size]
    for _ in range(4):
        portion.took(0.1)
        grown.append(portion.size)
    assert grown == [25, 50, 100, 200, 200]
    for _ in range(9):
        portion.took(16)
    assert portion.size == 1
    portion.took(15)
    assert portion.size == 2


def test_a_portion_of_few_is_at_least_one_record() -> None:
    assert Portion(1, patience=15).size == 1


def is_urgent(received: Received) -> bool:
    return isinstance(received.data, RequestReceived) and received.data.service_code == "yol-cukur"


def raw(service_code: str = "yol-cukur", offset: int = 0) -> Delivery:
    full = delivery(request(service_code=service_code), offset)
    return Delivery(full.topic, 0, offset, full.key, full.value, full.headers)


def test_a_record_is_decoded_once_and_asked_whether_it_is_urgent() -> None:
    seen, urgent = look(raw(), decode_delivery, is_urgent)
    assert urgent
    assert seen.event.data == request(seen.event.data.key)
    assert not look(raw("yol-kaldirim"), decode_delivery, is_urgent)[1]


def test_without_something_urgent_nothing_is_decoded_ahead() -> None:
    record = raw()
    assert look(record, decode_delivery, None) == (record, False)


def test_what_cannot_be_decoded_and_a_tombstone_are_left_to_the_loop() -> None:
    def refuse(_: Delivery) -> Received:
        raise Rejected("too long")

    junk, erased = Delivery("requests.received", 0, 0, b"k", b"junk", ()), Delivery("contacts", 0, 0, b"c", None, ())
    assert look(junk, decode_delivery, is_urgent) == (junk, False)
    assert look(erased, decode_delivery, is_urgent) == (erased, False)
    assert look(raw(), refuse, is_urgent)[1] is False


async def test_the_loop_does_not_decode_again() -> None:
    def refuse(_: Delivery) -> Received:
        raise Rejected("asked twice")

    handled: list[Delivery] = []

    async def handle(batch: Any) -> None:
        handled.extend(batch)

    publisher = FakePublisher()
    loop = Loop(handle, publisher.publish, dlq="routing.dlq", settings=WorkerSettings(), decode=refuse)
    await loop.process([delivery(request())])
    assert (len(handled), publisher.on("routing.dlq")) == (1, [])


@dataclass
class Stream:
    """
    As much of Faust's stream and app as a reader uses; remembers what was acknowledged.
    """

    arriving: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    acknowledged: list[int] = field(default_factory=list)
    active: bool = True
    end: int = 0
    consumer_generation_id: int = 1

    @property
    def app(self) -> Any:
        return SimpleNamespace(
            flow_control=SimpleNamespace(is_active=lambda: self.active),
            consumer_generation_id=self.consumer_generation_id,
            consumer=SimpleNamespace(highwater=lambda _tp: self.end),
        )

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        while True:
            yield await self.arriving.get()

    async def ack(self, event: Any) -> None:
        self.acknowledged.append(event.message.offset)

    def send(self, offset: int) -> Any:
        """
        An event of the group's present generation arrives.
        """
        message = SimpleNamespace(
            tp=("t", 0), topic="t", partition=0, offset=offset, key=b"%d" % offset, value=b"v", headers=[], acked=False
        )
        message.generation_id = self.consumer_generation_id
        event = SimpleNamespace(message=message)
        self.arriving.put_nowait(event)
        return event


def odd_ones(delivery: Delivery) -> tuple[Delivery, bool]:
    return delivery, delivery.offset % 2 == 1


def reader(stream: Stream, ahead: ReadAhead) -> Reader:
    return Reader(stream, ahead, odd_ones, urgent_first=True, gets_on=lambda: None)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


async def test_a_reader_gives_what_is_urgent_first_and_acknowledges_in_order() -> None:
    stream, ahead = Stream(), ReadAhead(UNBOUNDED, UNBOUNDED)
    for offset in range(4):
        stream.send(offset)
    async with reader(stream, ahead) as one:
        await until(lambda: len(ahead) == 4)
        batch = await one.take(9)
        assert offsets(batch) == [1, 3]
        await one.ack(batch)
        assert stream.acknowledged == []
        await one.ack(await one.take(9))
        assert stream.acknowledged == [0, 1, 2, 3]


async def test_when_faust_suspends_its_flow_all_that_waits_is_given_back() -> None:
    stream, ahead = Stream(), ReadAhead(3, UNBOUNDED)
    events = [stream.send(offset) for offset in range(5)]
    async with reader(stream, ahead) as one:
        await until(lambda: len(ahead) == 3)
        await one.ack(await one.take(9))
        assert len(ahead) == 3, "1 was handled and is held back, 0 and 2 wait, 3 waits for room"
        stream.active = False
        taking = asyncio.ensure_future(one.take(9))
        await until(lambda: all(event.message.acked for event in events[:4]))
        assert stream.acknowledged == []
        stream.active, stream.consumer_generation_id = True, 2
        stream.send(0)
        assert offsets(await taking) == [0]


async def test_while_much_is_unread_only_what_is_urgent_is_given_out() -> None:
    stream, ahead = Stream(end=10_000), ReadAhead(UNBOUNDED, UNBOUNDED)
    stream.send(0)
    async with reader(stream, ahead) as one:
        taking = asyncio.ensure_future(one.take(9))
        await until(lambda: len(ahead) == 1)
        stream.send(1)
        assert offsets(await taking) == [1]
        taking = asyncio.ensure_future(one.take(9))
        stream.send(9_998)
        assert offsets(await taking) == [0, 9_998]


async def test_who_reads_on_and_gives_out_nothing_yet_gets_on() -> None:
    stream, ahead, health = Stream(end=10_000), ReadAhead(UNBOUNDED, UNBOUNDED), Counter[str]()
    stream.send(0)
    async with Reader(stream, ahead, odd_ones, urgent_first=True, gets_on=lambda: health.update(["on"])) as one:
        taking = asyncio.ensure_future(one.take(9))
        await until(lambda: len(ahead) == 1 and health["on"] > 0)
        stream.send(1)
        await taking


async def test_with_no_room_left_ordinary_ones_are_given_out_though_much_is_unread() -> None:
    stream, ahead = Stream(end=10_000), ReadAhead(1, UNBOUNDED)
    stream.send(0)
    async with reader(stream, ahead) as one:
        assert offsets(await one.take(9)) == [0]


async def test_a_reader_raises_what_ended_its_stream() -> None:
    stream, ahead = Stream(), ReadAhead(UNBOUNDED, UNBOUNDED)

    def broken(_: Delivery) -> tuple[Delivery, bool]:
        raise KeyError("a rule with a fault")

    async with Reader(stream, ahead, broken, urgent_first=True, gets_on=lambda: None) as one:
        stream.send(0)
        with pytest.raises(KeyError):
            await one.take(9)


def test_what_comes_after_a_pause_is_taken_at_once_and_a_steady_stream_batch_by_batch() -> None:
    pace = Pace(0.1)
    assert pace.wait(now=5.0) == 0
    pace.took(5.0, full=False)
    assert pace.wait(now=5.04) == pytest.approx(0.06)
    assert pace.wait(now=9.0) == 0


def test_a_backlog_waits_for_nothing() -> None:
    pace = Pace(0.1)
    pace.took(5.0, full=False)
    pace.took(5.1, full=True)
    assert pace.wait(now=5.1) == 0


@pytest.mark.parametrize(("size", "most", "taken"), [(500, 100, 100), (50, 100, 50)])
def test_a_worker_takes_no_more_at_once_than_suits_it_and_reads_no_further_than_one_batch_ahead(
    size: int, most: int, taken: int
) -> None:
    ahead, limit = bounds(WorkerSettings(batch_size=size), most, urgent_first=False)
    while not ahead.full:
        ahead.put(read(len(ahead)), urgent=False)
    assert (limit, len(ahead)) == (taken, 2 * taken)
