"""
Whether things stand in their order, and whether reads went back in time. Pure; findings name requests.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from deploy.observe import Seen
from services.common.contracts.events import Lifecycle, StatusChanged, UpdateSubmitted
from services.common.contracts.topics import LIFECYCLE, UPDATES
from tests.faults.check import Finding


def reordered(seen: Iterable[Seen]) -> Finding:
    """
    On every topic a request's events come by ``seq``. An event that stands there again (same ce_id) is no new one.
    ``seen`` has each topic's records of one request in the topic's order.
    """
    last: dict[tuple[str, str], int] = {}
    known: set[tuple[str, str]] = set()
    wrong = set()
    for one in seen:
        if one.event is None or not isinstance(one.event.data, Lifecycle) or not one.event.data.seq:
            continue
        if (one.topic, one.event.meta.id) in known:
            continue
        known.add((one.topic, one.event.meta.id))
        data, place = one.event.data, (one.topic, one.event.data.request_id)
        if data.seq <= last.get(place, 0):
            wrong.add(data.request_id)
        last[place] = data.seq
    return Finding("in the order of seq on every topic", tuple(sorted(wrong)))


def updates_in_order(seen: Iterable[Seen], accepted: Mapping[str, Sequence[str]]) -> Finding:
    """
    ``accepted`` has each request's updates in the order in which they got their 2xx, one after the other.
    """
    stand: dict[str, dict[str, None]] = defaultdict(dict)
    for one in seen:
        if one.topic == UPDATES.name and one.event is not None and isinstance(one.event.data, UpdateSubmitted):
            stand[one.event.data.request_id].setdefault(one.event.data.update_id)
    return Finding(
        "updates stand in the order in which they were accepted",
        tuple(i for i, ids in accepted.items() if [u for u in stand[i] if u in ids] != list(ids)),
    )


def one_effect_each(
    seen: Iterable[Seen], accepted: Mapping[str, Sequence[str]], in_doubt: Collection[str] = ()
) -> Finding:
    """
    Each accepted update has changed the state of its request once. Of requests ``in_doubt`` the client gave up one
    more, and does not know whether it was taken.
    """
    changes: Counter[str] = Counter()
    known: set[str] = set()
    for one in seen:
        if one.topic != LIFECYCLE.name or one.event is None or one.event.meta.id in known:
            continue
        known.add(one.event.meta.id)
        if isinstance(one.event.data, StatusChanged):
            changes[one.event.data.request_id] += 1
    return Finding(
        "each accepted update applied once",
        tuple(i for i, ids in accepted.items() if not len(ids) <= changes[i] <= len(ids) + (i in in_doubt)),
    )


def stale(reads: Iterable[tuple[str, int]]) -> Finding:
    """
    What one reader read of each request (or figure), in the order of its answers, never went back.
    """
    last: dict[str, int] = {}
    wrong: dict[str, None] = {}
    for name, value in reads:
        if value < last.get(name, 0):
            wrong[name] = None
        last[name] = max(value, last.get(name, 0))
    return Finding("no read went back in time", tuple(wrong))
