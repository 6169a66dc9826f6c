"""
What the webhooks of exchanges and gateways have in common: a secret token in the path, and a body that is JSON or a
form.
"""

from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

from services.common.kit.http import BodyError, Problem, strict_json


def owner_of(token: str, tokens: Mapping[str, str]) -> str | None:
    """
    Whose token it is, by name, found in a time that tells nothing of any token.
    """
    shown, found = sha256(token.encode("utf-8", "replace")).digest(), None
    for name, known in tokens.items():
        if compare_digest(shown, sha256(known.encode()).digest()):
            found = name
    return found


def value_of(raw: bytes, media_type: str, *encodings: str) -> Any:
    """
    A JSON value, or the first value of each field of a form in the first of the ``encodings`` that fits (UTF-8 if none
    is given). Raises ``BodyError``; answers 415 for another media type.
    """
    media_type = media_type.partition(";")[0].strip().lower()
    if media_type == "application/json":
        return strict_json(raw)
    if media_type != "application/x-www-form-urlencoded":
        raise Problem(415, "The body must be application/json or application/x-www-form-urlencoded.")
    tried = encodings or ("utf-8",)
    for encoding in tried:
        try:
            text = raw.decode(encoding)
            pairs = parse_qs(text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=100)
        except ValueError:
            continue
        return {name: values[0] for name, values in pairs.items()}
    raise BodyError(f"the body is no form in {' or '.join(tried).upper()} with at most 100 fields")
