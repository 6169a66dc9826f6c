"""
Bodies as Meta's Cloud API posts them, and the header by which it signs them.
"""

import json
from typing import Any

from services.intake.conversations.whatsapp import SCHEME, signature

OURS = "905051785501"
NUMBER_ID = "106540352242922"
AYSE = "905320000001"
AYSE_ID = "TR.10000000000000000001"
AT = 1_780_473_600  # 2026-06-03 11:00 in Istanbul


def card(number: str | None = AYSE, user_id: str | None = AYSE_ID, name: str = "Ayşe Yılmaz") -> dict[str, Any]:
    known = {"wa_id": number, "user_id": user_id}
    return {"profile": {"name": name}} | {key: value for key, value in known.items() if value}


def message(
    kind: str = "text", at: int = AT, name: str = "wamid.A1", sender: str | None = AYSE, **fields: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {"from": sender, "id": name, "timestamp": str(at), "type": kind} | fields
    if kind == "text" and "text" not in fields:
        found["text"] = {"body": "Sokakta çukur var"}
    return {key: value for key, value in found.items() if value is not None}


def value(*messages: Any, cards: list[Any] | None = None, statuses: list[Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": OURS, "phone_number_id": NUMBER_ID},
        "contacts": [card()] if cards is None else cards,
    }
    if messages:
        found["messages"] = list(messages)
    if statuses is not None:
        found["statuses"] = statuses
    return found


def body(*values: Any, field: str = "messages") -> dict[str, Any]:
    changes = [{"field": field, "value": one} for one in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}


def raw(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def header(content: bytes, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": SCHEME + signature(content, secret.encode()), "Content-Type": "application/json"}
