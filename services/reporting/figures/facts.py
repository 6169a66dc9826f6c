"""
One request's document to one row of facts: what figures are made of. Pure.

A row is a function of its document alone, and a sheet of the rows of its day: whatever came twice, late or in another
order, the figures are the same. Nothing here is personal data: no text, no address, no contact.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

import polars as pl

from services.common.contracts.clocks import Calendar, Pause
from services.reporting.projections import ISTANBUL, Document, body_of, local_day

Row = dict[str, Any]

MOMENT: Final = pl.Datetime("ms", "UTC")
WORD: Final = pl.Categorical()
MEANING: Final = 2
"""To be raised when a fact of the same name says something else: all sheets are made again."""

SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "request_id": pl.String(),
    "part": pl.Boolean(),  # a sub-request: work of a department, no request of a citizen
    # when, by the clocks of Istanbul
    "day": pl.Date(),
    "hour": pl.UInt8(),
    "received_at": MOMENT,
    "closed_day": pl.Date(),  # null while it is open, and for a part
    "closed_hour": pl.UInt8(),
    "closed_at": MOMENT,
    # what and whose
    "channel": WORD,
    "kind": WORD,
    "service": WORD,
    "neighbourhood": WORD,
    "department": WORD,
    "status": WORD,
    "priority": WORD,
    "outcome": WORD,
    "team": WORD,
    "crisis": WORD,
    "decided_by": WORD,
    # how it went
    "emergency": pl.Boolean(),
    "assigned": pl.Boolean(),
    "responded": pl.Boolean(),
    "closed": pl.Boolean(),
    "paused": pl.Boolean(),
    "escalated": pl.Boolean(),
    "at_first_contact": pl.Boolean(),  # answered by whoever took it
    "on_time": pl.Boolean(),  # the last closing; null without one, or without a due time
    "first_on_time": pl.Boolean(),  # the first closing, whatever was reopened since
    "responded_on_time": pl.Boolean(),
    "closings": pl.UInt16(),
    "reopened": pl.UInt16(),
    "bounced": pl.UInt16(),
    "followers": pl.UInt16(),
    "rating": pl.UInt8(),  # 1 to 5; null: none
    "respond_by": MOMENT,
    "resolve_by": MOMENT,
    "legal_on": pl.Date(),
    # hours since it was received: by the calendar, and of the city's working time without the pauses
    "hours_to_respond": pl.Float32(),
    "work_hours_to_respond": pl.Float32(),
    "hours_to_close": pl.Float32(),
    "work_hours_to_close": pl.Float32(),
    # what became of messages to the citizen
    "told": WORD,
    "told_reason": WORD,
    "messages_sent": pl.UInt16(),
    "messages_suppressed": pl.UInt16(),
    "messages_failed": pl.UInt16(),
    "messages_queued": pl.UInt16(),
    # where; the block, not the door, unless the citizen was told that it is public
    "lat": pl.Float64(),
    "lon": pl.Float64(),
    "told_public": pl.Boolean(),
}


def fact_of(document: Document, calendar: Calendar) -> Row | None:
    """
    The row of a document; None for what is not registered or has no time yet, which counts nowhere.
    """
    received_at: datetime | None = document["received_at"]
    if not document["registered"] or received_at is None:
        return None
    responded_at, closed_at = document["first_response_at"], document["closed_at"]
    pauses = [Pause(pause["since"], pause["until"]) for pause in document["pauses"]]
    closings, legal, messages = document["closings"], document["legal"], document["messages"]
    whole = document["parent_id"] is None

    def hours(until: datetime | None, *, working: bool) -> float | None:
        if until is None:
            return None
        if working:
            return calendar.elapsed(received_at, until, "biz", pauses).total_seconds() / 3600
        return (until - received_at).total_seconds() / 3600

    return {
        "request_id": document["request_id"],
        "part": not whole,
        "day": _day(local_day(received_at)),
        "hour": received_at.astimezone(ISTANBUL).hour,
        "received_at": received_at,
        "closed_day": _day(local_day(closed_at)) if whole else None,
        "closed_hour": closed_at.astimezone(ISTANBUL).hour if whole and closed_at else None,
        "closed_at": closed_at,
        "service": document["service_code"],
        **{name: document[name] for name in _AS_THEY_ARE},
        "assigned": document["assigned_at"] is not None,
        "responded": responded_at is not None,
        "at_first_contact": bool(body_of(document).get("answered")),
        "first_on_time": closings[0]["on_time"] if closings else None,
        "responded_on_time": _before(responded_at, document["respond_by"]),
        "closings": len(closings),
        "legal_on": _day(legal["on"]) if legal else None,
        "hours_to_respond": hours(responded_at, working=False),
        "work_hours_to_respond": hours(responded_at, working=True),
        "hours_to_close": hours(closed_at, working=False),
        "work_hours_to_close": hours(closed_at, working=True),
        "told": document["told_received"],
        "told_reason": document["told_received_reason"],
        **{f"messages_{name}": messages[name] for name in ("sent", "suppressed", "failed", "queued")},
    }


_AS_THEY_ARE: Final = (
    "closed_at", "channel", "kind", "neighbourhood", "department", "status", "priority", "outcome", "team", "crisis",
    "decided_by", "emergency", "closed", "paused", "escalated", "on_time", "reopened", "bounced", "followers",
    "rating", "respond_by", "resolve_by", "lat", "lon", "told_public",
)  # fmt: skip
NEEDED: Final = (
    "request_id", "registered", "parent_id", "received_at", "first_response_at", "assigned_at", "pauses", "closings",
    "legal", "messages", "service_code", "told_received", "told_received_reason", "origin", "bodies", *_AS_THEY_ARE,
)  # fmt: skip
"""The fields of a document that its facts are made of."""


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    """
    Rows as a frame of ``SCHEMA``, in the order of their coming in. What a row does not have is null.
    """
    found = sorted(rows, key=lambda row: (row["received_at"], row["request_id"]))
    return pl.DataFrame(found, schema=dict(SCHEMA), orient="row")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _before(moment: datetime | None, limit: datetime | None) -> bool | None:
    return moment <= limit if moment and limit else None
