"""
Rows of facts for tests of figures, without documents behind them.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import polars as pl

from services.reporting.figures.facts import SCHEMA, Row, frame_of
from services.reporting.projections import ISTANBUL

RECEIVED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # a Monday, half past noon in Istanbul
_numbers = count(1)


def fact(**changes: Any) -> Row:
    """
    A row: an open request, assigned to zabita and not answered yet, as ``changes`` say otherwise. What follows from
    ``received_at`` and ``closed_at`` (days, hours, ``closed``, ``status``, ``on_time``, …) follows unless it is given.
    """
    unknown = changes.keys() - SCHEMA.keys()
    if unknown:
        raise ValueError(f"no fact is called {sorted(unknown)}")
    received_at: datetime = changes.get("received_at", RECEIVED_AT)
    closed_at: datetime | None = changes.get("closed_at")
    resolve_by = changes.get("resolve_by", received_at + timedelta(days=3))
    part = changes.get("part", False)
    local, ended = received_at.astimezone(ISTANBUL), closed_at.astimezone(ISTANBUL) if closed_at else None
    hours = (closed_at - received_at).total_seconds() / 3600 if closed_at else None
    on_time = closed_at <= resolve_by if closed_at and resolve_by else None
    found: Row = dict.fromkeys(SCHEMA) | {
        "request_id": f"R{next(_numbers):07}",
        "part": False,
        "day": local.date(),
        "hour": local.hour,
        "received_at": received_at,
        "closed_day": ended.date() if ended and not part else None,
        "closed_hour": ended.hour if ended and not part else None,
        "channel": "phone",
        "kind": "complaint",
        "service": "gurultu",
        "neighbourhood": "Kale",
        "department": "zabita",
        "status": "resolved" if closed_at else "assigned",
        "outcome": "resolved" if closed_at else None,
        "priority": "normal",
        "decided_by": "rule",
        **dict.fromkeys(("emergency", "paused", "escalated", "at_first_contact", "told_public"), False),
        "assigned": True,
        "responded": closed_at is not None,
        "closed": closed_at is not None,
        "on_time": on_time,
        "first_on_time": on_time,
        "closings": int(closed_at is not None),
        **dict.fromkeys(("reopened", "bounced", "followers"), 0),
        "resolve_by": resolve_by,
        "hours_to_respond": hours,
        "work_hours_to_respond": hours,
        "hours_to_close": hours,
        "work_hours_to_close": hours,
        "told": "sent",
        "messages_sent": 1,
        **dict.fromkeys(("messages_suppressed", "messages_failed", "messages_queued"), 0),
    }
    return found | changes


def frame(*rows: Row) -> pl.DataFrame:
    """
    The rows as the api holds them.
    """
    return frame_of(rows)
