"""
What a partner's system is told of its request: the public facts, nothing that a citizen wrote, and no contact.
"""

from typing import Any

from services.notify.domain import Row
from services.notify.messages import House


def data_of(house: House, request_id: str, row: Row) -> dict[str, Any]:
    """
    The body of the webhook. What is not known is left out.
    """
    facts = row.facts
    on = facts.written_on and facts.written_on.isoformat()
    referred = _known({"body": facts.body, "on": on, "reference": facts.reference})
    told = {
        "request_id": request_id,
        "seq": row.seq,
        "transition": row.transition,
        "status": facts.status,
        "department": facts.department,
        "service_code": facts.service_code,
        "outcome": facts.outcome,
        "public_text": facts.answer,
        "question": facts.question,
        "emergency": facts.emergency,
        "day": facts.day and facts.day.isoformat(),
        "referred_to": referred or None,
        "tracking_url": house.link(request_id, row),
    }
    return {"type": f"request.{row.kind}", "timestamp": row.at and row.at.isoformat(), "data": _known(told)}


def _known(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
