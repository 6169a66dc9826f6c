"""
ETags of what is counted: whoever has it already is told so.
"""

from hashlib import blake2b

from fastapi import Request


def tag_of(*parts: object) -> str:
    """
    A weak tag that is the same for the same parts; sets are the same in every order.
    """
    ordered = tuple(sorted(part) if isinstance(part, frozenset) else part for part in parts)
    return f'W/"{blake2b(repr(ordered).encode(), digest_size=12).hexdigest()}"'


def has(request: Request, tag: str) -> bool:
    """
    Whether ``If-None-Match`` names the tag, weak or not.
    """
    held = {part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")}
    return tag.removeprefix("W/") in held or "*" in held
