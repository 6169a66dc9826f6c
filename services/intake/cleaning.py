"""
What people and adapters write, brought to one form, or refused with a sentence that says what would be right.

Every function is pure, raises ``ValueError`` and never quotes its input in the message (it may be personal data).
"""

import math
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Any, Final

import phonenumbers

from services.common.contracts.events import of_our_age

_KEPT_CONTROLS: Final = "\n\t"
_BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
_TR: Final = 90
_TR_NATIONAL: Final = re.compile(r"[2-5]\d{9}|8\d{9}|444\d{4}")
_PHONE_SHAPE: Final = re.compile(r"\+?[0-9 ()./\-]{3,40}")
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ATTRIBUTE_NAME: Final = re.compile(r"[\w\[\]:-][\w \[\]:-]{0,59}")
_MAX_ATTRIBUTES: Final = 50
_CONTACT_LIMIT: Final = 400  # characters, blanks included, before anything looks at them
_MAX_INT: Final = 2**63
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _sound(text: str, limit: int) -> str:
    if len(text) > 2 * limit:  # before NFC: its cost grows faster than the text
        raise ValueError(f"must have at most {limit} characters")
    if "\x00" in text:
        raise ValueError("must not contain NUL")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must not contain half of a surrogate pair")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _visible(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CZ" and char not in _BLANK_LETTERS


def _bounded(text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueError(f"must have at most {limit} characters, it has {len(text)}")
    return text


def prose(text: str, limit: int) -> str:
    """
    Text of several lines: NFC, without control characters and outer blanks, with something visible in it.
    """
    sound = _sound(text, limit)
    kept = "".join(c for c in sound if c in _KEPT_CONTROLS or unicodedata.category(c) != "Cc").strip()
    if not any(map(_visible, kept)):
        raise ValueError("needs something visible")
    return _bounded(kept, limit)


def one_line(text: str, limit: int) -> str | None:
    """
    Text of one line: NFC, runs of blanks and control characters as one blank; None if nothing visible is left.
    """
    sound = _sound(text, limit)
    kept = " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in sound).split())
    return _bounded(kept, limit) if any(map(_visible, kept)) else None


def named(text: str, limit: int) -> str:
    """
    Text of one line as ``one_line`` has it, with something visible in it.
    """
    line = one_line(text, limit)
    if line is None:
        raise ValueError("needs something visible")
    return line


def moment(text: object) -> datetime:
    """
    A time as RFC 3339 has it (seconds may be left out), between 2000 and 2100, in UTC.
    """
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise ValueError("must be a time with its zone such as 2026-06-03T09:00:00+03:00")
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("must be a time that there is, such as 2026-06-03T09:00:00+03:00") from None
    return of_our_age(of_our_age(found).astimezone(UTC))


def day(text: object) -> date:
    """
    A day as RFC 3339 has it, between 2000 and 2100.
    """
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError("must be a day such as 2026-06-03")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day that there is, such as 2026-06-03") from None
    if not 2000 <= found.year < 2100:
        raise ValueError("must be a day between 2000 and 2100")
    return found


def phone(text: str) -> str | None:
    """
    A telephone number as E.164, read as people in Türkiye write it; None if the text is blank.

    05xx, 5xx, 90…, 0090…, 0362… and 444 xx xx are Turkish, others need + or 00 and their country code. A 444 number
    becomes +90444xxxx: it can be called, and whoever sends SMS knows it by ``+905`` missing. Turkish numbers are
    judged by shape alone, for operators get new prefixes sooner than a library learns them.
    """
    bare = " ".join(unicodedata.normalize("NFKC", text[:_CONTACT_LIMIT]).split())
    if not bare and len(text) <= _CONTACT_LIMIT:
        return None
    if len(text) > _CONTACT_LIMIT or not _PHONE_SHAPE.fullmatch(bare):
        raise ValueError("must be a telephone number such as 0532 111 22 33, 0362 431 00 00 or +49 30 901820")
    try:
        number = phonenumbers.parse(bare, "TR")
    except phonenumbers.NumberParseException:
        raise ValueError("must be a telephone number with its area or country code") from None
    if number.country_code == _TR:
        if not _TR_NATIONAL.fullmatch(str(number.national_number)):
            raise ValueError("must be a Turkish number of 10 digits (5xx…, 362…) or 444 xx xx")
    elif not phonenumbers.is_valid_number(number):
        raise ValueError("is not a number of that country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(text: str) -> str | None:
    """
    An e-mail address with its domain in lower-case ASCII; None if the text is blank.

    Checked is what every mail server checks (RFC 5321 dot-atom and host name), not whether the mailbox exists.
    """
    if len(text) > _CONTACT_LIMIT:
        raise ValueError("must have at most 253 characters")
    bare = text.strip()
    if not bare:
        return None
    local, at, domain = bare.rpartition("@")
    try:
        host = domain.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    labels = host.split(".")
    if not at or len(local) > 64 or len(local) + len(host) > 253 or not _LOCAL_PART.fullmatch(local):
        raise ValueError("must be an e-mail address such as ad.soyad@example.com")
    if len(labels) < 2 or labels[-1].isdigit() or not all(_LABEL.fullmatch(x) and len(x) < 64 for x in labels):
        raise ValueError("must have a domain such as example.com after the @")
    return f"{local}@{host}"


def attributes(given: dict[str, Any], limit: int = 10_000) -> dict[str, Any]:
    """
    Extra answers as JSON: at most 50 keys, ``limit`` bytes, sound text, finite numbers.
    """
    if len(given) > _MAX_ATTRIBUTES:
        raise ValueError(f"must have at most {_MAX_ATTRIBUTES} keys")
    spent = [limit]

    def spend(size: int) -> None:
        spent[0] -= size
        if spent[0] < 0:
            raise ValueError(f"must have at most {limit} bytes")

    def clean(value: Any) -> Any:
        match value:
            case str():
                text = _sound(value, limit)
                spend(len(text.encode()) + 3)
                return text
            case bool() | None:
                spend(5)
            case int() | float():
                if not (-_MAX_INT <= value < _MAX_INT if isinstance(value, int) else math.isfinite(value)):
                    raise ValueError("must have finite numbers of at most 64 bits")
                spend(20)
            case list():
                spend(2)
                return [clean(item) for item in value]
            case dict():
                spend(2)
                return {_attribute_name(name, spend): clean(item) for name, item in value.items()}
            case _:
                raise ValueError("must be plain JSON")
        return value

    cleaned: dict[str, Any] = clean(given)
    return cleaned


def _attribute_name(name: Any, spend: Any) -> str:
    if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
        raise ValueError("must have keys of 1 to 60 letters, digits, blanks and _ - : [ ]")
    spend(len(name.encode()) + 4)
    return unicodedata.normalize("NFC", name)
