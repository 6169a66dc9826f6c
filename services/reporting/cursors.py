"""
Where a page of a list ended, as a signed text: it fits the same filter alone and cannot be made up.
"""

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Final

from services.common.contracts.ids import keyed_hash
from services.reporting.queries import Filter

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadCursor(ValueError):
    """
    Not a cursor that we gave for this filter.
    """


def seal(secret: bytes, filters: Filter, received_at: datetime, request_id: str) -> str:
    """
    The cursor behind a request. ``received_at`` has milliseconds at most.
    """
    millis = str((received_at - _EPOCH) // timedelta(milliseconds=1))
    return f"{millis}.{request_id}.{_signature(secret, filters, millis, request_id)}"


def unseal(secret: bytes, filters: Filter, cursor: str) -> tuple[datetime, str]:
    """
    The place that a cursor names. Raises ``BadCursor``.
    """
    millis, request_id, signature = [*cursor.split("."), "", "", ""][:3]
    expected = _signature(secret, filters, millis, request_id)
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
        raise BadCursor("not a cursor of this list: begin again without it")
    return _EPOCH + timedelta(milliseconds=int(millis)), request_id


def _signature(secret: bytes, filters: Filter, millis: str, request_id: str) -> str:
    return keyed_hash(secret, "cursor", json.dumps(filters.as_query(), sort_keys=True), millis, request_id)
