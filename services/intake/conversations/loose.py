"""
Values of JSON that somebody else made: read as what they should be, or as nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.intake.conversations.inbound import sound

_PROVIDER_ID: Final = re.compile(r"[!-~]{1,400}")


def mapping(value: object) -> Mapping[str, Any]:
    """
    An object; empty if it is none.
    """
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """
    The items of a list; none if it is no list.
    """
    return value if isinstance(value, list) else []


def mappings(value: object) -> list[Mapping[str, Any]]:
    """
    The objects in a list.
    """
    return [item for item in items(value) if isinstance(item, dict)]


def string(value: object) -> str | None:
    """
    A string.
    """
    return value if isinstance(value, str) else None


def short(value: object, limit: int) -> str | None:
    """
    A string of at most ``limit`` characters that is sound as it is; a longer one is worth nothing cut.
    """
    found = sound(string(value), limit)
    return found if found == value else None


def matching(shape: re.Pattern[str], value: object) -> str | None:
    """
    A string of this shape.
    """
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def name_given(value: object) -> str | None:
    """
    A provider's name of something, as ``ProviderId`` has it.
    """
    return matching(_PROVIDER_ID, value)


def names_given(value: object) -> tuple[str, ...]:
    """
    The same as a tuple of one or none.
    """
    found = name_given(value)
    return (found,) if found else ()


def degrees(value: object, limit: int) -> float | None:
    """
    A number between ``-limit`` and ``limit``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -limit <= value <= limit else None


def moment(value: object) -> datetime | None:
    """
    Seconds since 1970, often written as a string.
    """
    try:
        return datetime.fromtimestamp(int(value), UTC) if isinstance(value, str | int) else None
    except (ValueError, OverflowError, OSError):
        return None
