"""
Figures once more, from the topics alone: what reporting shows has to be that.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.common.contracts.clocks import load_calendar
from services.common.contracts.envelope import Received
from services.reporting.figures import reports
from services.reporting.figures.facts import fact_of, frame_of
from services.reporting.projections import Document, fold, inherit, subject_of
from services.reporting.queries import Filter

Rows = Sequence[Mapping[str, Any]]
REPORTS = ("summary", "departments")


def recomputed(events: Iterable[Received], now: datetime) -> dict[str, Rows]:
    """
    The rows of ``summary`` and ``departments`` over all time, as JSON has them.
    """
    documents: dict[str, Document] = {}
    for event in events:
        if (found := fold(documents.get(subject_of(event)), event)) is not None:
            documents[subject_of(event)] = found
    calendar = load_calendar()
    facts = [fact_of(_whole(document, documents), calendar) for document in documents.values()]
    frame = frame_of(row for row in facts if row)
    rows = {
        "summary": [reports.summary(frame, Filter(), now)],
        "departments": reports.grouped(frame, Filter(), now, "department"),
    }
    found_rows: dict[str, Rows] = json.loads(json.dumps(rows, default=str))
    return found_rows


def differences(expected: Mapping[str, Rows], shown: Mapping[str, Rows]) -> tuple[str, ...]:
    """
    Which figures differ, ``report.figure`` or ``report.department.figure``.
    """
    wrong: list[str] = []
    for report, rows in expected.items():
        there = {row.get("department"): row for row in shown[report]}
        if there.keys() != {row.get("department") for row in rows}:
            wrong.append(f"{report}.rows")
        for row in rows:
            name = ".".join(filter(None, (report, row.get("department"))))
            other = there.get(row.get("department"), {})
            wrong += [f"{name}.{figure}" for figure in row if figure not in other or other[figure] != row[figure]]
    return tuple(wrong)


def _whole(document: Document, documents: Mapping[str, Document]) -> Document:
    parent = documents.get(document["parent_id"] or "")
    return inherit(document, parent) if parent else document
