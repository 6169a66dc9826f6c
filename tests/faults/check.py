"""
What clients were told against what topics, reporting and the mail sink hold. Pure; every number is a count of requests.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.observe import Facts
from services.common.contracts.ids import family_of


@dataclass
class Told:
    """
    What the clients know: requests that got a 2xx (and how they should be told), and updates that got one.
    """

    accepted: dict[str, str] = field(default_factory=dict)  # request_id -> the recipient kind: contact or none
    resolved: set[str] = field(default_factory=set)  # requests for which a resolve was accepted
    retried: int = 0  # posts that had to be sent again
    refused: int = 0  # posts that were given up


@dataclass(frozen=True)
class Finding:
    """
    One line of the table: what was checked, how many requests fail it, some of their numbers.
    """

    name: str
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """
        Nobody fails it.
        """
        return not self.wrong


def check(told: Told, facts: Facts, reported: set[str], received_total: int) -> list[Finding]:
    """
    Every finding, good or bad. ``reported`` are the accepted requests that reporting shows; ``received_total`` is
    ``summary.received`` over this run.
    """
    ids, resolved, on = list(told.accepted), sorted(told.resolved), facts.stands_on
    registered = sum(family_of(number) == number for number in facts.registered)  # a part is no request of a citizen's
    outcomes: dict[str, dict[str, int]] = {}
    doubled_outcomes = set()
    ends: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for (request_id, transition, recipient, attempt), events in facts.outcomes.items():
        if transition in ("received", "assigned"):
            reason = facts.reasons.get((request_id, transition, recipient, attempt))
            ends[request_id] += [(kind, reason) for kind in events.values()]
        if len(events) != 1:
            doubled_outcomes.add(request_id)
        if attempt == 1:
            outcomes.setdefault(request_id, {})[transition] = len(events)
    return [
        Finding("registered once", _those(ids, lambda i: len(facts.registered[i]) != 1)),
        Finding("assigned once", _those(ids, lambda i: len(facts.assigned[i]) != 1)),
        Finding("stands on its holder's topic alone", _those(ids, lambda i: on[i] != {facts.holder.get(i)})),
        Finding("seq without a gap", _those(ids, lambda i: facts.seqs[i] != set(range(1, len(facts.seqs[i]) + 1)))),
        Finding("`received` has an outcome", _those(ids, lambda i: "received" not in outcomes.get(i, {}))),
        Finding("`assigned` has an outcome", _those(ids, lambda i: "assigned" not in outcomes.get(i, {}))),
        Finding("resolve applied", _those(resolved, lambda i: i not in facts.closed)),
        Finding("`closed` has an outcome", _those(resolved, lambda i: "closed" not in outcomes.get(i, {}))),
        Finding("told or not told for the right reason", _those(ids, lambda i: _odd(told.accepted[i], ends[i]))),
        Finding("one outcome per (transition, recipient, attempt)", tuple(sorted(doubled_outcomes))),
        Finding("shown by reporting", _those(ids, lambda i: i not in reported)),
        Finding("no event in two versions", ("?",) * facts.in_two_versions),
        Finding("nothing unreadable on our topics", ("?",) * facts.unreadable),
        Finding(
            f"summary.received ({received_total}) = registered ({registered})",
            () if received_total == registered else ("?",),
        ),
    ]  # fmt: skip


def _odd(recipient: str, ends: list[tuple[str, str | None]]) -> bool:
    """
    Who can be reached is told of the receipt (by that message or by the one it was merged with); who left no contact is
    not told, for that reason and no other. ``ends`` are the outcomes of received and assigned, with their reasons. A
    short message that was under way while notify was killed may end as unknown (design.md part 4): that is counted.
    """
    if recipient == "none":
        return any(end != ("Suppressed", "no_contact") for end in ends)
    return not any(kind == "Sent" or reason == "unknown" for kind, reason in ends)


def unknown_outcomes(facts: Facts) -> int:
    """
    How many messages ended without anybody knowing whether they went out: the class in which a loss is possible.
    """
    return sum(reason == "unknown" for reason in facts.reasons.values())


def _those(ids: list[str], wrong: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(request_id for request_id in ids if wrong(request_id))


def outcome_counts(facts: Facts) -> Counter[str]:
    """
    How the tellings ended, for the table.
    """
    return Counter(kind for events in facts.outcomes.values() for kind in events.values())
