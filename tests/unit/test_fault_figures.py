"""
The figures that faults are judged by.
"""

import json
import random
from datetime import timedelta

from services.common.contracts.clocks import load_calendar
from services.reporting.figures import reports
from services.reporting.figures.facts import fact_of, frame_of
from services.reporting.queries import Filter
from tests.faults.figures import Rows, differences, recomputed
from tests.unit.reporting.lives import START, documents_of, random_lives

NOW = START + timedelta(days=40)


def test_figures_from_topics_in_any_order_and_twice_are_those_of_the_documents() -> None:
    events = [event for life in random_lives(8, 40) for event in life.events]
    mixed = [*events, *events[::3]]
    random.Random(8).shuffle(mixed)
    rows = [fact_of(document, load_calendar()) for document in documents_of(events).values()]

    summary = reports.summary(frame_of(row for row in rows if row), Filter(), NOW)

    assert recomputed(mixed, NOW)["summary"] == [json.loads(json.dumps(summary, default=str))]


def test_a_figure_that_differs_a_department_that_is_missing_and_one_too_many_are_named() -> None:
    expected: dict[str, Rows] = {
        "summary": [{"received": 3, "open": 1}],
        "departments": [{"department": "zabita", "received": 2}],
    }

    assert differences(expected, expected) == ()
    assert differences(expected, {**expected, "summary": [{"received": 3, "open": 2}]}) == ("summary.open",)
    other: Rows = [{"department": "fen-isleri", "received": 2}]
    assert differences(expected, {**expected, "departments": other}) == (
        "departments.rows",
        "departments.zabita.department",
        "departments.zabita.received",
    )
