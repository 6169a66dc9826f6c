"""
One event of a department's topic as one line, and which events are wanted. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.cells import set_cell_size
from rich.text import Text

from deploy.terminal import ToolError, safe, safe_json
from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Received, rfc3339
from services.common.contracts.events import Lifecycle, RequestAssigned, UpdateRefused
from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, Priority, Status

ZONE: Final = ZoneInfo("Europe/Istanbul")
PRIORITIES: Final = {Priority.URGENT: "acil", Priority.HIGH: "yüksek", Priority.NORMAL: "normal", Priority.LOW: "düşük"}
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
    ``width`` cells if there is one.
    """
    gone = event.department not in (None, slug)
    status = STATUS_LABELS[event.status].tr if event.status else "–"
    style = "dim" if gone else "green" if event.status in CLOSED else "cyan"
    service = catalogue().services.get(event.service_code or "")
    priority = PRIORITIES.get(event.priority, "") if event.priority else ""
    row = Text()
    cells = (
        (event.occurred_at.astimezone(ZONE).strftime("%d.%m. %H:%M:%S"), 15, "dim"),
        (grouped(event.request_id), 16, "bold"),
        (type(event).__name__, 17, "red" if isinstance(event, UpdateRefused) else ""),
        (status, 19, style),
        ("ACİL" if event.emergency else priority, 7, _style_of(event)),
        (service.tr if service else event.service_code or "–", 26, ""),
        (event.neighbourhood or "", 11, "magenta"),
        (event.due.resolve_by.astimezone(ZONE).strftime("%d.%m. %H:%M") if event.due else "", 12, "blue"),
    )
    for text, cell, how in cells:
        row.append(set_cell_size(safe(text), cell), how).append("  ")
    row.append(safe(_story(slug, event)))
    if width is not None:
        row.truncate(width, overflow="ellipsis")
    return row


def _style_of(event: Lifecycle) -> str:
    if event.emergency:
        return "bold white on red"
    return _PRIORITY_STYLES.get(event.priority, "") if event.priority else ""


def _story(slug: str, event: Lifecycle) -> str:
    if isinstance(event, UpdateRefused):
        return f"{event.action}: {event.reason}: {event.detail}"
    if event.department not in (None, slug):
        return f"→ {event.department}"
    if isinstance(event, RequestAssigned):
        came = f"({event.previous_department}: {event.reason}) " if event.previous_department else ""
        return came + (event.text or "")
    return event.public_text or ""


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
