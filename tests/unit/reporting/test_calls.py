"""
What became of calls, and their figures, whatever the order in which their steps come and however often.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.common.contracts.events import Call as CallEvent
from services.common.contracts.events import CallAnswered, CallEnded, CallMissed, CallStarted
from services.common.kit.auth import Caller
from services.common.kit.settings import MongoSettings
from services.reporting.api import create_app
from services.reporting.calls.life import Call, call_of, step_of
from services.reporting.calls.report import by_hour, by_queue, figures, in_buckets
from services.reporting.queries import MAX_BUCKETS, Interval, TooManyBuckets
from services.reporting.settings import ApiSettings

BEGUN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CALL = "l_" + "0" * 32
MONDAY = date(2026, 11, 2)


def event(kind: type[CallEvent], after: float = 0, **fields: Any) -> CallEvent:
    return kind(call_id=CALL, occurred_at=BEGUN + timedelta(seconds=after), exchange="main", **fields)


def call(*events: CallEvent) -> Call:
    return call_of(map(step_of, events))


ANSWERED = call(
    event(CallStarted, queue="masa"),
    event(CallAnswered, 12, extension="101"),
    event(CallEnded, 132, seconds=120, extension="101"),
)
MISSED = call(event(CallStarted, queue="masa"), event(CallMissed, 40, cause="abandoned", seconds=40))
RINGING = call(event(CallStarted))


def test_an_answered_call_has_its_wait_and_its_length_and_who_took_it() -> None:
    assert (ANSWERED.answered, ANSWERED.missed, ANSWERED.waited, ANSWERED.talked) == (True, False, 12.0, 120)
    assert (ANSWERED.queue, ANSWERED.extension) == ("masa", "101")


def test_a_call_that_rang_elsewhere_too_and_was_taken_is_not_missed() -> None:
    taken = call(event(CallStarted), event(CallMissed, 20, cause="no answer", seconds=20), event(CallAnswered, 25))
    assert (taken.answered, taken.missed) == (True, False)


def test_nothing_of_the_caller_is_kept() -> None:
    said = event(CallStarted, person="a" * 32, contact_id="c_" + "b" * 32)
    assert set(step_of(said)) == {"type", "at"}


steps_of = st.lists(
    st.one_of(
        st.builds(event, st.just(CallStarted), st.integers(0, 5), queue=st.sampled_from([None, "masa", "acil"])),
        st.builds(event, st.just(CallAnswered), st.integers(0, 60), extension=st.sampled_from([None, "101", "102"])),
        st.builds(event, st.just(CallEnded), st.integers(0, 600), seconds=st.integers(0, 600)),
        st.builds(event, st.just(CallMissed), st.integers(0, 60), cause=st.just("x"), seconds=st.integers(0, 60)),
    ),
    min_size=1,
    max_size=6,
).map(lambda events: [step_of(one) for one in events])


@given(steps_of, st.randoms(use_true_random=False))
def test_order_and_repetition_of_steps_change_nothing(steps: list[Any], chance: Any) -> None:
    again = [*steps, *chance.choices(steps, k=3)]
    chance.shuffle(again)
    assert call_of(again) == call_of(steps)


@given(st.lists(steps_of.map(call_of), max_size=20))
def test_figures_are_those_of_a_naive_count(calls: Sequence[Call]) -> None:
    row = figures(calls)
    assert row["started"] == len(calls)
    assert row["answered"] == len([one for one in calls if one.answered_at or one.ended_at])
    assert row["missed"] == len([one for one in calls if one.missed_at and not one.answered_at and not one.ended_at])
    assert row["started"] == sum(bucket["started"] for bucket in in_buckets(calls, MONDAY, MONDAY, Interval.HOUR))
    for split in (by_queue(calls), by_hour(calls)):
        for name in ("started", "answered", "missed"):
            assert sum(part[name] for part in split) == row[name]


def test_the_figures_of_some_calls() -> None:
    assert figures([ANSWERED, MISSED, MISSED, RINGING]) == {
        "started": 4,
        "answered": 1,
        "missed": 2,
        "answered_share": pytest.approx(1 / 3),
        "median_seconds_to_answer": 12.0,
        "median_seconds_talked": 120.0,
        "median_seconds_until_missed": 40.0,
    }


def test_of_nothing_there_is_no_share_and_no_median() -> None:
    assert {name: value for name, value in figures([]).items() if value != 0} == dict.fromkeys(
        ["answered_share", "median_seconds_to_answer", "median_seconds_talked", "median_seconds_until_missed"]
    )


def test_buckets_are_local_and_empty_ones_are_there() -> None:
    late = call_of([{"type": "CallStarted", "at": datetime(2026, 11, 2, 22, 30, tzinfo=UTC)}])  # 01:30 on the 3rd
    rows = in_buckets([late], MONDAY, date(2026, 11, 4), Interval.DAY)
    assert [(row["bucket"], row["started"]) for row in rows] == [
        ("2026-11-02", 0), ("2026-11-03", 1), ("2026-11-04", 0)
    ]  # fmt: skip
    assert by_hour([late])[1]["started"] == 1


def test_too_narrow_buckets_are_refused() -> None:
    with pytest.raises(TooManyBuckets):
        in_buckets([], date(2000, 1, 1), MONDAY, Interval.HOUR)


def test_queues_stand_by_name_and_calls_without_one_last() -> None:
    assert [(row["queue"], row["started"]) for row in by_queue([RINGING, MISSED, ANSWERED])] == [("masa", 2), (None, 1)]


SECRET = SecretStr("0123456789abcdef")
NOWHERE = MongoSettings(uri="mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=50")


class Keys:
    """
    Every key reads reports.
    """

    async def caller(self, key: str) -> Caller | None:
        return Caller(key, frozenset({"reports:read"}), frozenset())


@dataclass
class Store:
    """
    No calls, and what was asked for them.
    """

    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def between(self, since: datetime, before: datetime) -> list[Call]:
        """
        As ``Calls`` finds them.
        """
        self.asked.append((since, before))
        return []

    async def as_of(self) -> datetime | None:
        """
        As ``Repository`` knows it.
        """
        return None


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=NOWHERE)
    app = create_app(settings, callers=Keys(), clock=lambda: BEGUN)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        app.state.calls = app.state.repository = store
        client.headers["X-API-Key"] = "all"
        yield client


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=0001-01-01", "from"),
        ("to=9999-12-31", "to"),
        ("to=0001-01-01", "to"),
        ("from=2026-11-02&to=2026-11-01", "to"),
        ("from=2000-01-01&to=2100-12-31", "interval"),
        ("from=2026-01-01&interval=hour", "interval"),
    ],
)
async def test_calls_that_cannot_be_counted_are_refused_by_name_before_the_store_is_asked(
    client: httpx.AsyncClient, store: Store, query: str, field: str
) -> None:
    answer = await client.get(f"/v1/reports/calls?{query}")

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert store.asked == []


async def test_as_many_buckets_as_there_may_be_are_counted(client: httpx.AsyncClient, store: Store) -> None:
    first = MONDAY - timedelta(days=MAX_BUCKETS - 1)

    answer = await client.get(f"/v1/reports/calls?from={first}&to={MONDAY}")

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["rows"]) == MAX_BUCKETS
    assert len(store.asked) == 1
