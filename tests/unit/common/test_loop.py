"""
The acknowledgement loop without Faust: what becomes of good, bad and unlucky records.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from services.common.contracts.envelope import Record
from services.common.kit.dead_letters import TooManyDeadLetters, dead_letter
from services.common.kit.errors import Rejected, Retryable
from services.common.kit.settings import WorkerSettings
from services.common.kit.testing import FakePublisher
from services.common.kit.worker import Delivery, Loop
from tests.builders import delivery, request

JUNK = Delivery("requests.received", 3, 7, b"k", b"junk", (("x", b"1"),))
GOOD = delivery(request())
TOMBSTONE = Delivery("contacts", 0, 0, b"c", None, ())


class Handler:
    """
    Remembers what it got, and fails as often as told.
    """

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.handled: list[Delivery] = []

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.handled += batch


def loop(
    handler: Handler, publisher: FakePublisher, gets_on: Callable[[], None] = lambda: None, **settings: object
) -> Loop:
    limits = WorkerSettings(**settings)  # type: ignore[arg-type]
    return Loop(handler, publisher.publish, dlq="routing.dlq", settings=limits, gets_on=gets_on)


async def test_good_records_are_handed_on_decoded_and_in_order() -> None:
    handler = Handler()
    batch = [delivery(request(), offset=n) for n in range(3)]
    await loop(handler, FakePublisher()).process(batch)
    assert [one.offset for one in handler.handled] == [0, 1, 2]
    assert all(one.received is not None for one in handler.handled)


async def test_a_bad_record_becomes_a_dead_letter_and_the_line_goes_on() -> None:
    handler, publisher = Handler(), FakePublisher()
    await loop(handler, publisher).process([JUNK, GOOD])
    assert len(handler.handled) == 1
    (letter,) = publisher.on("routing.dlq")
    assert (letter.key, letter.value) == (b"k", b"junk")
    names = dict(letter.headers)
    assert names["x"] == b"1"
    assert names["dlq-origin"] == b"requests.received/3/7"
    assert names["dlq-reason"] == b"ContractError"
    assert b"ce_id is missing" in names["dlq-detail"]


async def test_a_tombstone_reaches_the_handler_only_on_a_topic_that_knows_erasing() -> None:
    handler, publisher = Handler(), FakePublisher()
    empty = Delivery("requests.received", 0, 0, b"c", None, ())
    await loop(handler, publisher).process([TOMBSTONE, empty])
    assert handler.handled == [TOMBSTONE]
    assert len(publisher.on("routing.dlq")) == 1


async def test_what_is_away_is_tried_again() -> None:
    handler = Handler(Retryable("away"), Retryable("away"))
    await loop(handler, FakePublisher()).process([GOOD])
    assert len(handler.handled) == 1


async def test_when_the_budget_is_spent_the_error_comes_out() -> None:
    handler = Handler(*[Retryable("away")] * 50)
    with pytest.raises(Retryable):
        await loop(handler, FakePublisher(), retry_budget=timedelta(milliseconds=50)).process([GOOD])


async def test_an_error_without_a_name_comes_out_at_once() -> None:
    handler = Handler(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await loop(handler, FakePublisher()).process([GOOD])


async def test_a_record_that_the_handler_rejects_is_found_among_its_batch() -> None:
    class Picky(Handler):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            if any(one.offset == 1 for one in batch):
                raise Rejected("not this one")
            self.handled += batch

    handler, publisher = Picky(), FakePublisher()
    await loop(handler, publisher).process([delivery(request(), offset=n) for n in range(3)])
    assert [one.offset for one in handler.handled] == [0, 2]
    assert len(publisher.on("routing.dlq")) == 1


async def test_each_record_that_is_taken_by_itself_is_a_step_forward() -> None:
    class Picky(Handler):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            if len(batch) > 1:
                raise Rejected("one of these")
            steps.append(str(batch[0].offset))

    steps: list[str] = []
    batch = [delivery(request(), offset=n) for n in range(3)]
    await loop(Picky(), FakePublisher(), gets_on=lambda: steps.append("step")).process(batch)
    assert steps == ["step", "step", "0", "step", "1", "step", "2"]


async def test_nothing_is_finished_while_dead_letters_cannot_be_delivered() -> None:
    publisher = FakePublisher()
    publisher.failing = True
    with pytest.raises(Retryable):
        await loop(Handler(), publisher, retry_budget=timedelta(milliseconds=50)).process([JUNK])


async def test_the_ceiling_stops_a_worker_before_it_drains_the_topic() -> None:
    handler, publisher = Handler(), FakePublisher()
    line = loop(handler, publisher, max_consecutive_dead_letters=3)
    await line.process([JUNK, JUNK, JUNK])
    with pytest.raises(TooManyDeadLetters):
        await line.process([JUNK])
    assert len(publisher.on("routing.dlq")) == 3


async def test_the_ceiling_counts_what_the_handler_rejects_too() -> None:
    class Refusing(Handler):
        async def __call__(self, batch: Sequence[Delivery]) -> None:
            raise Rejected("never")

    publisher = FakePublisher()
    line = loop(Refusing(), publisher, max_consecutive_dead_letters=3)
    for n in range(3):
        await line.process([delivery(request(), offset=n)])
    with pytest.raises(TooManyDeadLetters):
        await line.process([delivery(request(), offset=3)])


async def test_one_good_record_starts_the_count_anew() -> None:
    line = loop(Handler(), FakePublisher(), max_consecutive_dead_letters=2)
    for _ in range(5):
        await line.process([JUNK, JUNK, GOOD])


def test_a_dead_letter_of_a_dead_letter_keeps_only_the_newest_reason() -> None:
    first = dead_letter("routing.dlq", JUNK, Rejected("one"))
    again = Delivery(first.topic, 0, 1, first.key, first.value, first.headers)
    second: Record = dead_letter("routing.dlq", again, Rejected("two"))
    assert [value for name, value in second.headers if name == "dlq-detail"] == [b"two"]


async def test_an_empty_value_erases_nothing_it_is_a_dead_letter_with_the_bytes_it_had() -> None:
    handler, publisher = Handler(), FakePublisher()
    await loop(handler, publisher).process([Delivery("contacts", 0, 0, b"c", b"", ())])
    assert handler.handled == []
    (letter,) = publisher.on("routing.dlq")
    assert letter.value == b""
