"""
A historic request as the facts that a document of ours keeps: a body without words and the steps of its life. Pure.

The source tells when it came, perhaps when it was first answered, and how it ended; what lay between is not made up. So
it has one closing, whatever was reopened, and where the source knows of no earlier answer the closing is the first.
"""

from datetime import datetime
from typing import Any

from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import CLOSES_AS, Status
from services.reporting.history.model import HistoricRequest

Entry = dict[str, Any]


def body(event_id: str, data: HistoricRequest) -> Entry:
    """
    What was asked, where and how, with all fields of a body.
    """
    return {
        "id": event_id,
        "at": data.received_at,
        "channel": data.channel.value,
        "kind": data.kind.value if data.kind else None,
        "text": None,
        "address": None,
        "neighbourhood": data.neighbourhood,
        "lat": data.lat,
        "lon": data.lon,
        "attributes": None,
        "repeats": False,
        "adapter": data.source,
        "answered": False,
        "service_code": data.service_code,
        "notice": False,
        "attachments": [],
    }


def steps(data: HistoricRequest) -> list[Entry]:
    """
    Registered, assigned, answered and closed, as far as the source tells. Each step carries the whole state.
    """
    state: Entry = {
        "service_code": data.service_code,
        "priority": data.priority.value,
        "emergency": data.emergency or None,
        "neighbourhood": data.neighbourhood,
        "respond_by": data.respond_by,
        "resolve_by": data.resolve_by,
        "reopenings": data.reopened or None,
    }
    happened: list[tuple[str, Status, datetime, Entry]] = [
        ("RequestRegistered", Status.RECEIVED, data.received_at, {}),
    ]
    if data.department:
        state |= {"department": data.department}
        happened.append(("RequestAssigned", Status.ASSIGNED, data.received_at, {}))
    if data.responded_at and (data.closed_at is None or data.responded_at < data.closed_at):
        happened.append(("StatusChanged", Status.ACCEPTED, data.responded_at, {}))
    last_at = happened[-1][2]
    if data.closed_at and data.outcome:
        ended = {"outcome": data.outcome.value}
        happened.append(("StatusChanged", CLOSES_AS[data.outcome], data.closed_at, ended))
    elif data.status is not happened[-1][1]:
        happened.append(("StatusChanged", data.status, last_at, {}))
    entries = [
        {
            "id": derived_id(data.request_id, str(seq)),
            "seq": seq,
            "type": kind,
            "at": at,
            "status": status.value,
            **{name: value for name, value in (state | extra).items() if value is not None},
        }
        for seq, (kind, status, at, extra) in enumerate(happened, start=1)
    ]
    if data.judged:
        entries[-1]["on_time"] = data.on_time
    return entries
