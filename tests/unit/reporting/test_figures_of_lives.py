"""
From events to figures: what comes out is what a person counts from one life, told in order.
"""

import random
import statistics
from collections import Counter
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts import events
from services.common.contracts.clocks import load_calendar
from services.common.contracts.vocabulary import CLOSED, Channel
from services.reporting.figures import reports, series
from services.reporting.figures.facts import fact_of, frame_of
from services.reporting.projections import ISTANBUL, subject_of
from services.reporting.queries import Filter, Interval
from tests.unit.reporting.lives import START, Life, documents_of, random_lives

NOW = START + timedelta(days=20)
CALENDAR = load_calendar()


class Naive:
    """
    The figures as a person would count them from one life, told in order.
    """

    def __init__(self, life: Life, family: Life) -> None:
        mine = [event.data for event in family.events if subject_of(event) == life.request_id]
        steps = [data for data in mine if isinstance(data, events.Lifecycle)]
        messages = [data for data in mine if isinstance(data, events.Notification)]
        bodies = [event.data for event in family.events if isinstance(event.data, events.RequestReceived)]
        self.is_part = life is not family
        self.registered = bool(steps)
        self.body = bodies[0]
        self.day = bodies[0].received_at.astimezone(ISTANBUL).date()
        self.told = [type(one).__name__ for one in messages if one.transition == "received"][-1:]
        self.assigned = self.closed = self.on_time = self.paused = self.escalated = False
        self.reopened = 0
        self.department: str | None = None
        self.status = ""
        for step in steps:
            self.assigned |= isinstance(step, events.RequestAssigned)
            self.department, self.status = step.department, str(step.status)
            assert step.due is not None
            if step.status in CLOSED and not self.closed:
                self.closed_at = step.occurred_at
                self.on_time = (step.due.paused_since or step.occurred_at) <= step.due.resolve_by
            self.reopened += step.status not in CLOSED and self.closed
            self.closed = step.status in CLOSED
            self.escalated |= isinstance(step, events.RequestEscalated)
            self.paused = step.due.paused_since is not None and not self.closed
            self.overdue = not self.closed and not self.paused and step.due.resolve_by < NOW

    @property
    def hours(self) -> float:
        return (self.closed_at - self.body.received_at).total_seconds() / 3600


def figures(lives: list[Naive]) -> dict[str, Any]:
    closed = [one for one in lives if one.closed]
    return {
        "received": len(lives),
        "assigned": sum(one.assigned for one in lives),
        "closed": len(closed),
        "open": len(lives) - len(closed),
        "overdue": sum(one.overdue for one in lives),
        "paused": sum(one.paused for one in lives),
        "escalated": sum(one.escalated for one in lives),
        "duplicates": sum(one.status == "duplicate" for one in lives),
        "reopened": sum(one.reopened > 0 for one in lives),
        "on_time_share": round(sum(one.on_time for one in closed) / len(closed), 4) if closed else None,
    }


@given(seed=st.integers(0, 2**32), first=st.integers(0, 25), days=st.integers(0, 10))
@settings(max_examples=40)
def test_the_figures_are_those_of_a_naive_count(seed: int, first: int, days: int) -> None:
    lives = list(random_lives(seed, 40))
    received = [event for life in lives for event in life.events]
    random.Random(seed).shuffle(received)
    rows = [fact_of(document, CALENDAR) for document in documents_of(received).values()]
    every = [Naive(one, life) for life in lives for one in (life, *life.parts)]

    _compare(frame_of(row for row in rows if row), [one for one in every if one.registered], first, days)


def _compare(facts: pl.DataFrame, families: list[Naive], first: int, days: int) -> None:
    every = [one for one in families if not one.is_part]
    since = START.date() + timedelta(days=first)
    until = since + timedelta(days=days)
    span = Filter(first_day=since, last_day=until)
    some = [one for one in every if since <= one.day <= until]

    for filters, lives in ((Filter(), every), (span, some)):
        row = reports.summary(facts, filters, NOW)
        assert {name: row[name] for name in figures(lives)} == figures(lives)
        assert {name: n for name, n in row["by_status"].items() if n} == Counter(one.status for one in lives)
        assert row["told"]["suppressed"] == sum(one.told == ["NotificationSuppressed"] for one in lives)
        assert sum(row["told"].values()) - row["told"]["no_contact"] == len(lives)
        hours = sorted(one.hours for one in lives if one.closed)
        if hours:
            assert hours[0] - 0.01 <= row["median_hours_to_close"] <= hours[-1] + 0.01
            low, high = statistics.quantiles(hours, n=4)[::2] if len(hours) > 3 else (hours[0], hours[-1])
            assert low - 0.01 <= row["median_hours_to_close"] <= high + 0.01

        by_channel = {row["channel"]: row for row in reports.grouped(facts, filters, NOW, "channel")}
        for channel in Channel:
            expected = figures([one for one in lives if one.body.channel is channel])
            found = by_channel.get(channel.value)
            assert ({name: found[name] for name in expected} if found else figures([])) == expected
        work = [one for one in families if filters is not span or since <= one.day <= until]
        rows = reports.grouped(facts, filters, NOW, "department")
        by_department = {row["department"]: row for row in rows}
        for department in {one.department for one in work}:
            expected = figures([one for one in work if one.department == department])
            assert {name: by_department[department][name] for name in expected} == expected

    volume = series.volume(facts, span, NOW, Interval.DAY)
    assert len(volume) == days + 1
    for bucket in volume:
        day = date.fromisoformat(bucket["bucket"])
        assert bucket["received"] == sum(one.day == day for one in every)
        assert bucket["closed"] == sum(one.closed and one.closed_at.astimezone(ISTANBUL).date() == day for one in every)
