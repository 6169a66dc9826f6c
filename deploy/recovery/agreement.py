"""
Whether topics and reporting say the same of every request, by local day. Pure; ids and numbers only.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from deploy.observe import Facts
from services.common.contracts.ids import family_of
from services.reporting.projections import local_day

RECEIVED: Final = "received"
REBUILD: Final = "make reporting's documents again: `python -m services.reporting rebuild`"


@dataclass(frozen=True, slots=True)
class Reported:
    """
    What reporting has: the day under which it shows each whole request, and the days whose sheets count it.
    """

    shown: Mapping[str, str]
    counted: Mapping[str, Collection[str]]


class Day(NamedTuple):
    """
    How many requests of a local day each part has. ``told``: those whose ``received`` has an outcome; ``waits``: those
    whose message still waits to be sent.
    """

    day: str
    received: int
    registered: int
    shown: int
    counted: int
    told: int
    waits: int

    @property
    def agrees(self) -> bool:
        """
        Nothing is missing.
        """
        return self.received == self.registered == self.shown == self.counted == self.told + self.waits


class Difference(NamedTuple):
    """
    What does not hold, for which requests, and what to do about it.
    """

    what: str
    requests: tuple[str, ...]
    to_do: str


@dataclass(frozen=True, slots=True)
class Span:
    """
    Local days, both included (None: no limit). ``kept_from``: days before it are no longer whole on the topics.
    """

    first: str | None = None
    last: str | None = None
    kept_from: str | None = None

    def __contains__(self, day: object) -> bool:
        first = max(self.first or "", self.kept_from or "")
        return isinstance(day, str) and first <= day and (self.last is None or day <= self.last)


@dataclass(slots=True)
class Requests:
    """
    What the topics say of whole requests, those that are asked about: by request, its local day.
    """

    day: dict[str, str] = field(default_factory=dict)
    received: set[str] = field(default_factory=set)
    registered: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    waits: set[str] = field(default_factory=set)


def requests_of(facts: Facts, span: Span, asked: Set[str] | None = None) -> Requests:
    """
    The requests of the days of a span; with ``asked`` only these. A request's day is that of the body which its
    registration names, as reporting has it.
    """
    found = Requests()
    for number in facts.received.keys() | {one for one in facts.registered if family_of(one) == one}:
        day = _day(facts.received.get(number, {}), facts.registered_for.get(number, {}))
        if day not in span or (asked is not None and number not in asked):
            continue
        found.day[number] = day
        if number in facts.received:
            found.received.add(number)
        if number in facts.registered:
            found.registered.add(number)
    found.told = {key[0] for key in facts.outcomes if key[1] == RECEIVED} & found.registered
    found.waits = ({key[0] for key in facts.queued if key[1] == RECEIVED} & found.registered) - found.told
    return found


def _day(bodies: Mapping[str, datetime], registered_for: Mapping[str, datetime]) -> str:
    cause = min(registered_for, default="")
    moment = bodies.get(cause) or registered_for.get(cause) or min(bodies.values())
    return local_day(moment) or ""


def days(requests: Requests, reported: Reported) -> list[Day]:
    """
    One row a day, oldest first.
    """

    def count(numbers: Iterable[str]) -> Counter[str]:
        return Counter(requests.day[number] for number in numbers)

    shown = {number for number, day in requests.day.items() if reported.shown.get(number) == day}
    counted = {number for number, day in requests.day.items() if day in reported.counted.get(number, ())}
    parts = (requests.received, requests.registered, shown, counted, requests.told, requests.waits)
    counts = [count(numbers) for numbers in parts]
    return [Day(day, *(one[day] for one in counts)) for day in sorted(set(requests.day.values()))]


def differences(requests: Requests, facts: Facts, reported: Reported, span: Span) -> list[Difference]:
    """
    Everything that does not hold. ``facts`` may know more than ``requests``: what came while reporting was read.
    """
    day, registered = requests.day, requests.registered
    on_topics = facts.received.keys() | facts.registered.keys()

    def those(numbers: Iterable[str], wrong: Callable[[str], bool]) -> tuple[str, ...]:
        return tuple(sorted(number for number in numbers if wrong(number)))

    seqs = {number: found for number, found in facts.seqs.items() if family_of(number) in registered}
    found = (
        Difference(
            "received, but not registered",
            those(requests.received, lambda n: n not in registered),
            "does routing run (`make status`)? else its dead letters: `python -m deploy.dlq list routing`",
        ),
        Difference(
            "registered, but not on requests.received",
            those(registered, lambda n: n not in requests.received),
            "records are missing on the broker: bring back a backup (`make restore FROM=…`)",
        ),
        Difference(
            "with a gap in seq",
            those(seqs, lambda n: seqs[n] != set(range(1, len(seqs[n]) + 1))),
            "records are missing on the broker: bring back a backup (`make restore FROM=…`)",
        ),
        Difference(
            "with an event in two versions",
            tuple(sorted(facts.two_versions_of)),
            "write it down as a fault of ours, with these numbers; figures take one of the two",
        ),
        Difference(
            "not on the topic of its department",
            those(registered, lambda n: facts.holder.get(n) not in facts.stands_on.get(n, ()) and n in facts.holder),
            "send it again: any update of it makes routing publish what is missing",
        ),
        Difference("not shown by reporting", those(registered, lambda n: n not in reported.shown), REBUILD),
        Difference(
            "shown under another day",
            those(registered, lambda n: reported.shown.get(n, day[n]) != day[n]),
            REBUILD,
        ),
        Difference(
            "not counted by reporting's figures",
            those(registered, lambda n: n in reported.shown and day[n] not in reported.counted.get(n, ())),
            f"does the projector run (`make status`)? else {REBUILD}",
        ),
        Difference(
            "counted under another day as well",
            those(reported.counted, lambda n: n in day and set(reported.counted[n]) - {day[n]} != set()),
            REBUILD,
        ),
        Difference(
            "in reporting, but on no topic",
            those(reported.shown, lambda n: reported.shown[n] in span and n not in on_topics),
            "it was brought in past the topics, or the broker lost it: bring back a backup (`make restore FROM=…`)",
        ),
        Difference(
            "without an outcome of `received`, and none waits",
            those(registered, lambda n: n not in requests.told and n not in requests.waits),
            "does notify run (`make status`)? else its dead letters: `python -m deploy.dlq list notify`",
        ),
    )
    return [one for one in found if one.requests]
