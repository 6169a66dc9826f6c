"""
How lists are asked for, so that they cost what they show and not what there is. Pure.

A list is read in windows of its order, newest first, each eight times as wide as the one before, until it is full: a
server that collects all that fits before it cuts collects little then. What an index serves stands in a stage of its
own, and what is left to look at in the next. MongoDB puts the two together again; the local stand-in would otherwise
read every document as soon as anything is asked beside an index.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.reporting.projections import place_of
from services.reporting.queries import Match, Pipeline

FIRST_WINDOW: Final = timedelta(hours=1)
WIDER: Final = 8
NOTHING_BEFORE: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""From here on one window is as good as several."""

_SERVED: Final = (
    ("_id",),
    ("parent_id", "registered", "work"),
    *(("registered", field, "place") for field in ("department", "service_code", "neighbourhood", "status", "channel")),
    ("registered", "department", "work"),
    ("department", "closed", "due_place"),
    ("registered", "place"),
    ("registered", "work"),
    ("department", "closed"),
)
"""What indexes serve: equal to all but the last, a range of the last. The first that fits is taken."""


def windows(span: Mapping[str, str], now: datetime) -> Iterator[Match]:
    """
    Ranges of places, newest first, that together are ``span``: from ``$gte``, if it is there, to before ``$lt``.
    """
    low, high = span.get("$gte", ""), span.get("$lt")
    top = min(_moment(high), now) if high else now
    width = FIRST_WINDOW
    while True:
        bottom = top - width
        start = max(low, place_of(bottom)) if bottom > NOTHING_BEFORE else low
        yield {"$gte": start, **({"$lt": high} if high else {})}
        if start == low:
            return
        high, top, width = start, bottom, width * WIDER


def staged(query: Match, order: str, way: int, limit: int, hidden: Mapping[str, bool]) -> Pipeline:
    """
    The first ``limit`` documents that fit, in this order, without the fields ``hidden``.
    """
    served, rest = parted(query)
    looked_at = [{"$match": rest}] if rest else []
    return [{"$match": served}, *looked_at, {"$sort": {order: way}}, {"$limit": limit}, {"$project": dict(hidden)}]


def parted(query: Match) -> tuple[Match, Match]:
    """
    What an index serves of a query, and the rest. Both together say what the query says.
    """
    for fields in _SERVED:
        if all(name in query for name in fields) and not any(_is_range(query[name]) for name in fields[:-1]):
            served = {name: query[name] for name in fields}
            return served, {name: asked for name, asked in query.items() if name not in served}
    return query, {}


def _is_range(asked: Any) -> bool:
    return isinstance(asked, Mapping)


def _moment(place: str) -> datetime:
    return datetime.fromtimestamp(int(place.partition(".")[0] or 0) / 1000, UTC)
