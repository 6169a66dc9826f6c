"""
Whether all parts agree on what became of the day: what stands on the topics, what reporting shows, who was told. Pure.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from deploy.demo.journal import Journal, Trace
from services.common.contracts.ids import family_of
from services.common.contracts.vocabulary import Level, Status

RECEIVED: Final = "received"
CLOSED: Final = "closed"
CRISIS: Final = "salgin"
TEAM: Final = "vefa-1"
TEAM_OF: Final = "sosyal-destek"
_FOR_A_WHOLE_REQUEST: Final = frozenset({"received", "assigned", "closed"})

Differences = dict[str, list[str]]
"""What is wrong, and the numbers of the requests it is wrong for."""


class Figures(NamedTuple):
    """
    What topics and reporting must say alike of a request or a part of one.
    """

    status: str | None
    department: str | None
    reopened: int
    escalated: bool
    parts: int
    followers: int
    master: str | None
    team: str | None


@dataclass(frozen=True, slots=True)
class Reported:
    """
    A request as reporting shows it.
    """

    figures: Figures
    channel: str | None


_NOTHING: Final = Figures(None, None, 0, False, 0, 0, None, None)


def figures(trace: Trace) -> Figures:
    """
    What the topics say.
    """
    state = trace.newest
    if state is None:
        return _NOTHING
    return Figures(
        status=state.status,
        department=state.department,
        reopened=state.reopenings,
        escalated=bool(trace.escalations),
        parts=state.parts,
        followers=state.followers,
        master=state.master_id,
        team=state.team,
    )


def on_topics(journal: Journal, posted: int) -> Differences:
    """
    What the topics do not show (yet) of so many posted requests. Empty if every accepted request is registered,
    assigned and told, every update and reply answered, every part with its department, and every message out.
    """
    ours, parts, families = journal.ours, journal.parts, journal.families
    both = ours | parts
    replies = Counter(journal.replies.values())
    checks = {
        "not registered exactly once": [r for r, t in both.items() if len(t.registered) != 1],
        "not assigned exactly once at first": [r for r, t in both.items() if len(t.first_assigned) != 1],
        "not on the topic of the department that holds it": [
            r for r, t in both.items() if t.department not in t.stands_on
        ],
        "with an update neither applied nor refused": [
            one.request_id for u, one in journal.updates.items() if u not in journal.trace(one.request_id).updates
        ],
        "with an update on a department's topic that is not answered there": [
            one.request_id
            for u, one in journal.updates.items()
            if one.topic_of is not None and (one.topic_of, u) not in journal.answered
        ],
        "with a reply that its department did not get": [
            r for r, count in replies.items() if len(journal.trace(r).heard) < count
        ],
        "not told of being received": [r for r, t in ours.items() if (RECEIVED, 1) not in t.told],
        "closed, but not told so": [r for r, t in ours.items() if t.closed and (CLOSED, 1) not in t.told],
        "with something that nobody was told": [
            r for r, t in both.items() if t.to_tell - {transition for transition, _ in t.told}
        ],
        "with a message that still waits": [r for r, t in both.items() if t.queued - set(t.told)],
        "told twice": [r for r, t in both.items() if any(len(ids) > 1 for ids in t.outcomes.values())],
        "a part that was told as if it were a request": [
            r for r, t in parts.items() if _FOR_A_WHOLE_REQUEST & {name.partition(".")[0] for name, _ in t.told}
        ],
        "escalated, but the wrong person was told": [r for r, t in both.items() if not _staff_told(t)],
        "with another number of parts than it says": [
            r for r, t in ours.items() if figures(t).parts != len(families[r])
        ],
        "a duplicate that has not heard what its master came to": [
            r for r, t in ours.items() if t.status is Status.DUPLICATE and not _heard_with_its_master(journal, t)
        ],
    }
    missing = posted - len(ours)
    if missing:
        checks[f"{missing} of {posted} not accepted by intake"] = [""]
    return {what: numbers for what, numbers in checks.items() if numbers}


def of_the_day(journal: Journal) -> Differences:
    """
    What does not hold (yet) of the day as it is written: every state occurs, what was forgotten reaches the deputy
    mayor, parts end with their request and it with them, the need that comes again has its team and its first visit.
    """
    ours, families = journal.ours, journal.families
    been = {status for trace in ours.values() for status in trace.been}
    checks = {f"no request was ever {status}": [""] for status in Status if status not in been}
    levels = {r: {one.level for one in t.escalations.values()} for r, t in ours.items()}
    lines = {r: posted.line for r, posted in journal.accepted.items()}
    checks |= {
        "forgotten, but the deputy mayor was not told": [
            r for r, line in lines.items() if line.hours_ago and Level.DEPUTY_MAYOR not in levels[r]
        ],
        "ended, but its parts have not, or the other way round": [
            r
            for r, t in ours.items()
            if families[r] and not lines[r].weeks and t.closed != all(part.closed for part in families[r])
        ],
        "a need that comes again without a visit by its team": [
            r for r, line in lines.items() if line.weeks and [figures(part).team for part in families[r]] != [TEAM]
        ],
    }
    return {what: numbers for what, numbers in checks.items() if numbers}


def in_reporting(
    journal: Journal, reported: Mapping[str, Reported], received_more: int, visits: Collection[str]
) -> Differences:
    """
    Where reporting does not show (yet) what the topics do. ``received_more``: by how much ``summary.received``, which
    counts requests and no parts, grew during the run. ``visits``: the team's list.
    """
    ours, both = journal.ours, journal.ours | journal.parts
    to_visit = {r for r, t in both.items() if not t.closed and figures(t).team == TEAM and not figures(t).parts}
    checks = {
        "not in reporting": [r for r in both if r not in reported],
        "in another state in reporting": [
            r for r, t in both.items() if r in reported and reported[r].figures != figures(t)
        ],
        f"on the visit list of {TEAM} or not, unlike on the topics": sorted(
            to_visit ^ {r for r in visits if family_of(r) in journal.accepted}
        ),
    }
    if received_more != len(ours):
        checks[f"summary.received grew by {received_more} instead of {len(ours)}"] = [""]
    return {what: numbers for what, numbers in checks.items() if numbers}


def _staff_told(trace: Trace) -> bool:
    """
    Whether each escalation whose message has ended was sent to the one it was for.
    """
    for one in trace.escalations.values():
        told = trace.told.get((f"escalated.{one.seq}", 1))
        if told is not None and (told.outcome, told.recipient) != ("Sent", f"staff:{one.department}:{one.level}"):
            return False
    return True


def _heard_with_its_master(journal: Journal, trace: Trace) -> bool:
    """
    Whether a duplicate knows the end of its master, if it has come to one.
    """
    master = journal.trace(figures(trace).master or "")
    return not master.closed or (trace.master is not None and trace.master.master_status is master.status)
