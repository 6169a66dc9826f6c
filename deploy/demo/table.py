"""
The figures of a run, as a person reads them: numbers, names of departments, channels and bodies; nothing of any person.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.table import Table

from deploy.demo.agreement import CRISIS, RECEIVED, TEAM
from deploy.demo.broker import BROKER
from deploy.demo.departments import OWN_SYSTEMS
from deploy.demo.journal import Told, Trace
from deploy.demo.run import Result
from services.common.contracts.events import LegalExtended, Lifecycle, NoteAdded, ReplyReceived, RequestReopened
from services.common.contracts.ids import family_of
from services.common.contracts.vocabulary import Level, Status

STAFF: Final = "staff:"


def table(result: Result, title: str, brokers: int = 1) -> Table:
    """
    All of it as one table.
    """
    journal, traces = result.journal, result.journal.ours
    told = told_in_words(traces.values())
    both = [*traces.values(), *journal.parts.values()]
    reported = [row for number, row in result.reported.items() if number in traces]
    states = Counter(str(trace.status) for trace in traces.values())
    been = Counter(status for trace in traces.values() for status in trace.been)
    first = Table(title=title, show_header=False, title_justify="left", min_width=60)
    first.add_column(no_wrap=True)
    first.add_column(overflow="fold")
    rows: dict[str, str] = {
        "accepted": f"{len(journal.accepted)}",
        "= registered": f"{sum(len(trace.registered) == 1 for trace in traces.values())}",
        "= assigned": f"{sum(len(trace.first_assigned) == 1 for trace in traces.values())}",
        "= told": f"{sum(told.values())}: {_counts(told)}",
        "= reported": f"{result.received_more} by summary.received, {len(reported)} by number",
        "closed": f"{sum(trace.closed for trace in traces.values())}",
        "open": f"{sum(not trace.closed for trace in traces.values())}, of them in triage {states['triage']}",
        "states": _counts(states),
        "went through": f"{len(been)} of {len(Status)} states: {_counts(been)}",
        "departments": _counts(Counter(trace.department for trace in traces.values()), 8),
        "channels": _counts(Counter(row.channel for row in reported)),
        "updates by HTTP": _by_http(result),
        "updates by topic": _by_topic(result),
        "messages": _counts(messages_in_words(both)),
        "written": f"{result.mails} mails, {result.files} files",
    }
    for name, text in rows.items():
        first.add_row(name, text)
    first.add_section()
    for name, text in _lives(result, both).items():
        first.add_row(name, text)
    first.add_row("crisis", _crisis(result, both))
    first.add_section()
    first.add_row("bad record", _bad_record(result))
    first.add_row("Kafka restarted", _restarted(result, brokers))
    first.add_section()
    sent = [(posted.sent, posted.answered - posted.sent) for posted in journal.accepted.values()]
    reached = [
        (journal.accepted[number].sent, trace.reached_department - journal.accepted[number].sent)
        for number, trace in traces.items()
        if trace.reached_department is not None
    ]
    first.add_row("submit → 202", _latency(sent, result))
    first.add_row("submit → department's topic", _latency(reached, result))
    first.add_row("submit → in reporting", _latency(result.visible, result))
    first.add_row("wall time", f"{result.seconds:.1f} s, the stack's start not counted")
    return first


def _lives(result: Result, both: Sequence[Trace]) -> dict[str, str]:
    """
    What happened to requests besides being taken up and settled.
    """
    journal, traces = result.journal, result.journal.ours
    parts = journal.parts.values()
    escalations = [one for trace in both for one in trace.escalations.values()]
    levels = Counter(one.level for one in escalations)
    for_staff = [told for trace in both for told in trace.told.values() if told.recipient.startswith(STAFF)]
    asked = [number for number, trace in traces.items() if Status.WAITING_CITIZEN in trace.been]
    replied = set(journal.replies.values())
    silent = sum(traces[number].status is Status.WAITING_CITIZEN for number in asked)
    reopened = [trace for trace in traces.values() if trace.happened(RequestReopened)]
    duplicates = [trace for trace in traces.values() if trace.status is Status.DUPLICATE]
    heard = sum(trace.master is not None for trace in duplicates)
    return {
        "parts": f"{len(journal.families)} of {len(traces)} requests have {len(parts)}, "
        f"{sum(part.closed for part in parts)} closed, {len(journal.parts.keys() & result.reported)} reported",
        "asked / replied": f"{len(asked)} / {len(replied & set(asked))}, {silent} still silent; "
        f"{sum(trace.happened(ReplyReceived) for trace in traces.values())} wrote unasked",
        "other bodies": _bodies(traces.values()),
        "duplicates": f"{len(duplicates)}, {heard} of them heard what their master came to",
        "reopened": f"{len(reopened)}, {sum(trace.closed for trace in reopened)} of them closed again",
        "also": f"{_been(traces, Status.SCHEDULED)} planned for a day, {_been(traces, Status.CANCELLED)} cancelled, "
        f"{_events(traces, NoteAdded)} internal notes, {_events(traces, LegalExtended)} terms extended (law 4982)",
        "escalated": f"{sum(bool(trace.escalations) for trace in both)} requests, "
        + ", ".join(f"{level} {levels[level]}" for level in Level)
        + f" ({_counts(Counter(one.clock for one in escalations))})",
        "staff told": f"{len(for_staff)}: {_counts(_words(for_staff))}",
    }


def _been(traces: Mapping[str, Trace], status: Status) -> int:
    return sum(status in trace.been for trace in traces.values())


def _events(traces: Mapping[str, Trace], kind: type[Lifecycle]) -> int:
    return sum(trace.happened(kind) for trace in traces.values())


def _bodies(traces: Iterable[Trace]) -> str:
    """
    Who was waited for and who was referred to, as far as it is still so.
    """
    states = [trace.newest for trace in traces if trace.newest is not None and trace.newest.referred_to is not None]
    referred = Counter(one.referred_to.body for one in states if one.referred_to and one.status is Status.REFERRED)
    waited = Counter(one.referred_to.body for one in states if one.referred_to and one.status is not Status.REFERRED)
    return f"referred to: {_counts(referred) or 'none'}; waited for: {_counts(waited) or 'none'}"


def _crisis(result: Result, both: Iterable[Trace]) -> str:
    under = sum(trace.newest is not None and trace.newest.crisis == CRISIS for trace in both)
    ours = [number for number in result.visits if family_of(number) in result.journal.accepted]
    return f"{CRISIS}, declared and ended: {under} requests and parts under it; {TEAM} has {len(ours)} visits to make"


def _counts(counter: Mapping[Any, int], most: int | None = None) -> str:
    ranked = Counter[Any](dict(counter)).most_common()
    text = ", ".join(f"{name} {count}" for name, count in ranked[:most])
    left = ranked[most:] if most else []
    return text + (f", {len(left)} others {sum(count for _, count in left)}" if left else "")


def _by_http(result: Result) -> str:
    taken = sum(one.topic_of is None for one in result.journal.updates.values())
    return (
        f"{taken} taken, {len(result.refused_at_once)} refused by intake, "
        f"{_refused(result.journal.refused(by_topic=False))} by routing, "
        f"{result.asked_again} sent again after a 409"
    )


def _by_topic(result: Result) -> str:
    updates = {u: one.topic_of for u, one in result.journal.updates.items() if one.topic_of is not None}
    answered = sum((topic_of, update_id) in result.journal.answered for update_id, topic_of in updates.items())
    return (
        f"{len(updates)} written by {len(set(updates.values()))} of {len(OWN_SYSTEMS)} departments with a system of "
        f"their own, {answered} answered on their topics, {_refused(result.journal.refused(by_topic=True))} refused"
    )


def _refused(reasons: Counter[str]) -> str:
    return f"{sum(reasons.values())}" + (f" ({_counts(reasons)})" if reasons else "")


def _bad_record(result: Result) -> str:
    if result.bad_record is None:
        return "not put"
    after = [number for number, posted in result.journal.accepted.items() if posted.sent > result.bad_record]
    registered = sum(len(result.journal.trace(number).registered) == 1 for number in after)
    places = "; ".join(f"in {group}.dlq, {reason}" for group, reason in result.dead_letters.items()) or "nowhere"
    return f"{places}; the line went on: {len(after)} accepted after it, {registered} registered"


def _restarted(result: Result, brokers: int) -> str:
    away, journal = result.away, result.journal
    if away is None:
        return f"left out: {result.left_out}"
    requests = [number for number, posted in journal.accepted.items() if away.accepted(posted.answered)]
    registered = sum(len(journal.trace(number).registered) == 1 for number in requests)
    updates = {u: one for u, one in journal.updates.items() if one.topic_of is None and away.accepted(one.at)}
    settled = sum(update_id in journal.trace(one.request_id).updates for update_id, one in updates.items())
    who = f"{BROKER} of {brokers} brokers" if brokers > 1 else "it"
    return (
        f"{who} was away {away.back - away.gone:.1f} s; accepted meanwhile: {len(requests)} requests, "
        f"{registered} registered; {len(updates)} updates, {settled} answered"
    )


def _latency(measured: Sequence[tuple[float, float]], result: Result) -> str:
    """
    Percentiles of (when sent, how long) pairs: of all, and, if Kafka was restarted, of those sent before.
    """
    text = _percentiles([seconds for _, seconds in measured])
    if result.away is None:
        return text
    before = [seconds for sent, seconds in measured if sent < result.away.asked]
    return f"{text}\n{_percentiles(before)} sent before Kafka's restart"


def _percentiles(seconds: Sequence[float]) -> str:
    figures = "  ".join(f"p{share * 100:.0f} {percentile(seconds, share) * 1000:.0f} ms" for share in (0.5, 0.95, 0.99))
    return f"{figures}  (n={len(seconds)})"


def percentile(values: Sequence[float], share: float) -> float:
    """
    The value that this share of all values does not exceed (nearest rank). NaN if there is none.
    """
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def told_in_words(traces: Iterable[Trace]) -> Counter[str]:
    """
    How the first messages ended, as a person reads it: ``sent by email``, ``no_contact``, ``failed (refused)``.
    """
    return _words(trace.told[RECEIVED, 1] for trace in traces if (RECEIVED, 1) in trace.told)


def messages_in_words(traces: Iterable[Trace]) -> Counter[str]:
    """
    How all messages to citizens ended, in the same words.
    """
    return _words(told for trace in traces for told in trace.told.values() if not told.recipient.startswith(STAFF))


def _words(endings: Iterable[Told]) -> Counter[str]:
    words: Counter[str] = Counter()
    for told in endings:
        if told.outcome == "Sent":
            words[f"sent by {told.channel}"] += 1
        elif told.outcome == "Suppressed":
            words[told.reason or "suppressed"] += 1
        else:
            words[f"failed ({told.reason})"] += 1
    return words
