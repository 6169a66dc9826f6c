"""
Identifiers: speakable request numbers with a check character, and ids that derive from what they name.

A request number is 12 Crockford base-32 characters (60 bits) and Crockford's check symbol (value modulo 37,
https://www.crockford.com/base32.html). Numbers whose check symbol would be one of ``*~$=U`` are never issued, so a
number is always plain letters and digits in speech, in a URL and in a file name.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from itertools import count
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_SYMBOLS: Final = ALPHABET + "*~$=U"
BODY_LENGTH: Final = 12
_VALUES: Final = {symbol: value for value, symbol in enumerate(ALPHABET)}
_SPOKEN: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})

CONTACT_NONE: Final = "contact:none"


class IllFormedId(ValueError):
    """
    The text is not a request number: wrong length, wrong character or wrong check character.
    """


def _number(value: int) -> str | None:
    check = CHECK_SYMBOLS[value % 37]
    if check not in _VALUES:
        return None
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(55, -1, -5)) + check


def _first_issuable(draw: Callable[[int], int]) -> str:
    return next(number for n in count() if (number := _number(draw(n))) is not None)


def random_request_id() -> str:
    """
    Draw a request number that nobody can guess (60 random bits), in canonical form.
    """
    return _first_issuable(lambda _: secrets.randbits(60))


def keyed_request_id(secret: bytes, *scope: str) -> str:
    """
    Derive the request number from the caller's own key: the same scope always gives the same number.

    ``scope`` is adapter name, channel and the caller's key; the secret keeps numbers from being guessed.
    """
    message = "\x1f".join(scope).encode()

    def draw(n: int) -> int:
        digest = hmac.new(secret, message + b"\x1f%d" % n, hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "big") >> 4

    return _first_issuable(draw)


def parse_request_id(text: str) -> str:
    """
    Return the canonical form (13 upper-case characters, no grouping) of a number as people type it.

    Case, hyphens, blanks and the look-alikes O, I, L are forgiven. Raises ``IllFormedId`` for anything else.
    """
    if len(text) > 40:
        raise IllFormedId("a request number has 13 characters")
    bare = text.strip().upper().translate(_SPOKEN)
    if len(bare) != BODY_LENGTH + 1:
        raise IllFormedId(f"a request number has {BODY_LENGTH + 1} characters, this one has {len(bare)}")
    if any(symbol not in _VALUES for symbol in bare):
        raise IllFormedId("a request number has digits and the letters A to Z without I, L, O and U")
    value = 0
    for symbol in bare[:BODY_LENGTH]:
        value = value << 5 | _VALUES[symbol]
    if CHECK_SYMBOLS[value % 37] != bare[BODY_LENGTH]:
        raise IllFormedId("the last character does not check: please compare the number once more")
    return bare


def grouped(request_id: str) -> str:
    """
    Group a canonical number for the eye and the ear: ``7XK2-9MQ4-T3BD-M``, a part ``7XK2-9MQ4-T3BD-M.1``.
    """
    number, dot, part = request_id.partition(".")
    return "-".join(number[start : start + 4] for start in range(0, len(number), 4)) + dot + part


def family_of(request_id: str) -> str:
    """
    The request that a sub-request (``7XK29MQ4T3BDM.2``) is a part of; a request is its own family.
    """
    return request_id.partition(".")[0]


def parse_any_id(text: str) -> str:
    """
    As ``parse_request_id``, for the number of a request or of a sub-request. Raises ``IllFormedId``.
    """
    number, dot, part = text.strip().partition(".")
    if not dot:
        return parse_request_id(number)
    if not (part.isascii() and part.isdigit() and len(part) <= 2 and part[0] != "0"):
        raise IllFormedId("after the dot stands the number of the part, 1 to 99")
    return f"{parse_request_id(number)}.{part}"


def derived_id(*parts: str) -> str:
    """
    Derive an opaque 128-bit id (32 hex digits) from what it names: the same parts always give the same id.
    """
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def message_hash(channel: str, provider_id: str) -> str:
    """
    Hash the name that a provider gave to a message of ours. The name itself goes nowhere: in those of WhatsApp the
    telephone number of whom the message went to can be read.
    """
    return derived_id("sent", channel, provider_id)


def keyed_hash(secret: bytes, *parts: str) -> str:
    """
    Hash personal data with a secret (HMAC-SHA-256, 32 hex digits), so that it links but cannot be looked up.
    """
    return hmac.new(secret, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()[:32]
