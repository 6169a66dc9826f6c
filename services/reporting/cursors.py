"""
Where a page of a list ended, as a signed text: it fits the same filter alone and cannot be made up.
"""

import hmac
import json

from services.common.contracts.ids import keyed_hash
from services.reporting.queries import Filter


class BadCursor(ValueError):
    """
    Not a cursor that we gave for this filter.
    """


def seal(secret: bytes, filters: Filter, place: str) -> str:
    """
    The cursor behind a place.
    """
    return f"{place}.{_signature(secret, filters, place)}"


def unseal(secret: bytes, filters: Filter, cursor: str) -> str:
    """
    The place that a cursor names. Raises ``BadCursor``.
    """
    place, _, signature = cursor.rpartition(".")
    expected = _signature(secret, filters, place)
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()):
        raise BadCursor("not a cursor of this list: begin again without it")
    return place


def _signature(secret: bytes, filters: Filter, place: str) -> str:
    shown = json.dumps(filters.as_query(), sort_keys=True)
    return keyed_hash(secret, "cursor", shown, place.encode("utf-8", "replace").decode())
