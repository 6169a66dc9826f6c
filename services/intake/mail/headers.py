"""
Bytes and headers of a mail as text, whatever they call themselves. Pure; nothing here raises for what a mail holds.

The standard library's modern header parser raises on some broken headers and takes minutes over others, so headers are
read as they came (``AS_IT_CAME``), in bounded pieces.
"""

import base64
import codecs
import quopri
import re
from datetime import datetime
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, Final

from services.intake import cleaning

MOST: Final = 10_000  # characters of one header that are looked at
_MOST_PARAMETERS: Final = 4_000  # the library takes minutes over more
_ENCODED: Final = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,20})?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"\?=\s{1,80}=\?")
_CHARSET: Final = re.compile(
    r"utf-?(8|16|32)(-?[bl]e)?|us-?ascii|(iso|windows|x?-?cp|koi8|gb|big5|euc|shift|x?-?mac).*"
)
_LATIN: Final = frozenset({"ascii", "iso8859-1", "cp1252", "iso8859-9"})
_OTHER_THAN_ASCII: Final = ("utf-16", "utf-32", "iso2022")
_TURKISH: Final = "cp1254"  # holds iso-8859-9, and latin-1 but for six letters that nobody writes to us
_ANGLES: Final = re.compile(r"<([^<>\s]{1,400})>")


class _AsItCame(Compat32):
    """
    Headers stay strings, whatever is in them; what describes a part is bounded.
    """

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value[:_MOST_PARAMETERS] if name.lower().startswith("content-") else value


AS_IT_CAME: Final = _AsItCame()


def decode(raw: bytes, charset: str | None) -> str:
    """
    Text from bytes that say of themselves what they are, if they do, and may be wrong: what reads as UTF-8 is UTF-8;
    what calls itself Latin of western Europe, or nothing that is known, is read as Turkish.
    """
    name = _codec(charset)
    names = (name, "utf-8-sig") if name and name.startswith(_OTHER_THAN_ASCII) else ("utf-8-sig", name)
    for one in names:
        try:
            return raw.decode(_TURKISH if one is None or one in _LATIN else one)
        except UnicodeError:
            continue
    return raw.decode(_TURKISH, "replace")


def parts(message: "Message[str, str]") -> "list[Message[str, str]]":
    """
    The parts right inside a mail or a part; none if it is a leaf.
    """
    if not message.is_multipart():  # asked first: of a leaf, get_payload may raise
        return []
    return [part for part in message.get_payload() if isinstance(part, Message)]


def header(message: "Message[str, str]", name: str) -> str:
    """
    A header as one line of text, decoded; empty if there is none.
    """
    return decoded(raw_header(message, name))


def raw_header(message: "Message[str, str]", name: str) -> str:
    """
    A header as it came, unfolded, at most ``MOST`` characters of it.
    """
    value = str(message.get(name, ""))[:MOST]
    return " ".join(_with_letters(value).split())


def decoded(value: str) -> str:
    """
    The value of a header with its encoded words (RFC 2047, also inside quotes and cut within a letter) as text.
    """
    whole = _BETWEEN.sub("?==?", _with_letters(value[:MOST]))
    out: list[str] = []
    held, charset, at = b"", None, 0
    for word in _ENCODED.finditer(whole):
        if held and (word.start() > at or word.group(1).lower() != charset):
            out.append(decode(held, charset))
            held = b""
        out.append(whole[at : word.start()])
        charset, at = word.group(1).lower(), word.end()
        held += _word(word.group(2), word.group(3))
    if held:
        out.append(decode(held, charset))
    return " ".join("".join((*out, whole[at:])).split())


def addresses(message: "Message[str, str]", name: str) -> list[tuple[str, str]]:
    """
    The names and valid addresses in a header, the domains in lower case.
    """
    value = raw_header(message, name)
    try:
        found = getaddresses([value])
    except (RecursionError, IndexError, ValueError):  # comments in comments; brackets that never close
        found = []
    whole = [(decoded(name).strip("\"' "), address) for name, raw in found if (address := _address(raw))]
    if len(whole) > 1 or (whole and (len(whole) == len(found) or value.count("<") != 1)):
        return whole
    name = decoded(value.partition("<")[0]).strip("\"' ")  # may hold a comma that should stand in quotes
    return [(name, address) for raw in _ANGLES.findall(value) if (address := _address(raw))] or whole


def date(message: "Message[str, str]") -> datetime | None:
    """
    When the sender says that it was written; None if that cannot be read or has no zone.
    """
    try:
        found = parsedate_to_datetime(raw_header(message, "Date")[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else None


def file_name(part: "Message[str, str]") -> str:
    """
    What the sender calls a file (RFC 2231 or 2047, or neither), in one line, without folders; empty if nothing.
    """
    try:
        name = decoded(part.get_filename() or "")
    except (ValueError, LookupError, TypeError, IndexError):  # RFC 2231 made to break its reader
        return ""
    line = "".join(char for char in name if char.isprintable())
    return re.split(r"[/\\]", line)[-1].strip()[:80]


def _address(raw: str) -> str | None:
    try:
        return cleaning.email(raw.removeprefix("mailto:"))
    except ValueError:
        return None


def _with_letters(value: str) -> str:
    """
    Bytes that are no ASCII come from the parser as half surrogates: make letters of them.
    """
    if value.isascii():
        return value
    return decode(value.encode("utf-8", "surrogateescape"), None)


def _word(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return quopri.decodestring(raw, header=True)
    bare = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    whole = bare[:-1] if len(bare) % 4 == 1 else bare
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _codec(charset: str | None) -> str | None:
    name = (charset or "").strip("\"' ").lower().replace("_", "-")
    if not name.isascii() or not _CHARSET.fullmatch(name) or len(name) > 40:
        return None
    try:
        return codecs.lookup(name.removeprefix("x-")).name
    except (LookupError, ValueError):
        return None
