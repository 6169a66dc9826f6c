"""
One event of a department's topic as one line, and which events are wanted. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.cells import set_cell_size
from rich.text import Text

from deploy.department.talk import ZONE
from deploy.terminal import ToolError, safe, safe_json
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Received, rfc3339
from services.common.contracts.events import (
    FollowerAdded,
    Lifecycle,
    MasterProgressed,
    RequestAssigned,
    RequestEscalated,
    RequestReopened,
    UpdateRefused,
)
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, Clock, Level, Priority, Status

PRIORITIES: Final = {Priority.URGENT: "acil", Priority.HIGH: "yüksek", Priority.NORMAL: "normal", Priority.LOW: "düşük"}
CLOCKS: Final = {
    Clock.ACCEPTANCE: "üstlenme süresi",
    Clock.PLAN: "planlanan zaman",
    Clock.RESOLUTION: "çözüm süresi",
    Clock.LEGAL: "yasal süre",
}
LEVELS: Final = {Level.DEPARTMENT: "birime", Level.HEAD: "müdüre", Level.DEPUTY_MAYOR: "başkan yardımcısına"}
_PRIORITY_STYLES: Final = {Priority.URGENT: "bold red", Priority.HIGH: "yellow", Priority.LOW: "dim"}
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Which events are shown; an empty set asks for nothing in particular.
    """

    statuses: frozenset[Status] = frozenset()
    services: frozenset[str] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    emergency: bool = False

    def wants(self, event: Lifecycle) -> bool:
        """
        Whether the event passes every condition.
        """
        return (
            (not self.statuses or event.status in self.statuses)
            and (not self.services or event.service_code in self.services)
            and (not self.priorities or event.priority in self.priorities)
            and (not self.emergency or event.emergency)
        )


def since(text: str, now: datetime) -> datetime | None:
    """
    The moment that ``30s``, ``15m``, ``2h`` or ``3d`` ago was; None for ``beginning``. Raises ``ToolError``.
    """
    if text == "beginning":
        return None
    if text == "now":
        return now
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise ToolError(f"--since {safe(text)}: it is beginning, now, or a time like 15m, 2h, 3d")
    return now - timedelta(**{_UNITS[found[2]]: int(found[1])})


def line(slug: str, event: Lifecycle, width: int | None = None) -> Text:
    """
    Time, number, event, status, priority, service, neighbourhood, due, and the text or what happened instead; cut to
    ``width`` cells if there is one. Escalations and refusals are red.
    """
    gone = event.department not in (None, slug)
    alarming = isinstance(event, UpdateRefused | RequestEscalated)
    status = STATUS_LABELS[event.status].tr if event.status else "–"
    style = "dim" if gone else "green" if event.status in CLOSED else "cyan"
    service = catalogue().services.get(event.service_code or "")
    priority = PRIORITIES.get(event.priority, "") if event.priority else ""
    row = Text()
    cells = (
        (_time(event.occurred_at, "%d.%m. %H:%M:%S"), 15, "dim"),
        (grouped(event.request_id), 19, "bold"),
        (type(event).__name__, 17, "bold red" if alarming else ""),
        (status, 24, style),
        ("ACİL" if event.emergency else priority, 7, _style_of(event)),
        (service.tr if service else event.service_code or "–", 26, ""),
        (event.neighbourhood or "", 11, "magenta"),
        (_time(event.due.resolve_by) if event.due else "", 12, "blue"),
    )
    for text, cell, how in cells:
        row.append(set_cell_size(safe(text), cell), how).append("  ")
    row.append(safe(_story(slug, event)), "red" if isinstance(event, RequestEscalated) else "")
    if width is not None:
        row.truncate(width, overflow="ellipsis")
    return row


def _style_of(event: Lifecycle) -> str:
    if event.emergency:
        return "bold white on red"
    return _PRIORITY_STYLES.get(event.priority, "") if event.priority else ""


def _time(moment: datetime, form: str = "%d.%m. %H:%M") -> str:
    return moment.astimezone(ZONE).strftime(form)


def _story(slug: str, event: Lifecycle) -> str:
    if isinstance(event, UpdateRefused):
        return f"{event.action}: {event.reason}: {event.detail}"
    if event.department not in (None, slug):
        return f"→ {event.department}"
    return " · ".join(filter(None, (_news(event), *_facts(event), event.public_text)))


def _news(event: Lifecycle) -> str | None:
    """
    What this event tells apart from the state.
    """
    match event:
        case RequestEscalated():
            when = "doldu" if event.overdue else "doluyor"
            return f"{CLOCKS[event.clock]} {when} ({_time(event.due_at)}): {LEVELS[event.level]} bildirildi"
        case RequestAssigned():
            came = f"({event.previous_department}: {event.reason}) " if event.previous_department else ""
            return came + (event.text or "")
        case RequestReopened():
            return (f"({event.reason}) " if event.reason else "") + (event.text or "")
        case FollowerAdded():
            return f"mükerrer: {grouped(event.follower)}"
        case MasterProgressed():
            return f"asıl talep: {STATUS_LABELS[event.master_status].tr}"
        case _:
            return None


def _facts(event: Lifecycle) -> Iterator[str]:
    """
    What the holder should see of the state beside the columns.
    """
    if event.reply:
        yield f"yanıt: {event.reply}"
    if event.note:
        yield f"not: {event.note}"
    if event.status is Status.SCHEDULED and event.planned_for:
        yield f"plan: {_time(event.planned_for)}"
    if event.status is Status.WAITING_CITIZEN and event.question:
        yield f"soru: {event.question}"
    if event.status in (Status.WAITING_EXTERNAL, Status.REFERRED) and event.referred_to:
        other = event.referred_to
        day = f", {other.on:%d.%m.%Y}" if other.on else ""
        yield f"kurum: {other.body}{day}" + (f", no {other.reference}" if other.reference else "")
    if event.parts:
        yield f"{event.parts} alt talep"
    if event.parent_id:
        yield f"ana talep: {grouped(event.parent_id)}"
    if event.master_id:
        yield f"asıl talep: {grouped(event.master_id)}"
    if event.followers:
        yield f"{event.followers} mükerrer"
    if event.team:
        yield f"ekip: {event.team}"


def as_json(received: Received) -> str:
    """
    Envelope and payload as one line of JSON, nothing left out, nothing that a terminal would obey.
    """
    meta = received.meta
    row: Mapping[str, object] = {
        "ce_id": meta.id,
        "type": type(received.data).__name__,
        "time": rfc3339(meta.time),
        "causation_id": meta.causation_id,
        **received.data.model_dump(mode="json", exclude_none=True),
    }
    return safe_json(row)
