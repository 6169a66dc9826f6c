"""
Whether a PDF is plain: pages to read and nothing that acts. A look at its structure, not a reader of it. Pure.

Refused: scripts, actions that start programs or send forms, files inside, media, XFA, encryption (nobody can look
inside) and structure that hides from the look. Object streams are unpacked, within limits, and looked at too.
"""

import re
import zlib
from typing import Final

from services.intake.attachments.kinds import Unfit

_PLAIN: Final = "print it to a new PDF and send that"
_MOST_UNPACKED: Final = 32 * 1_048_576
_ACTIVE: Final = {
    b"JavaScript": "a script",
    b"Launch": "an action that starts a program",
    b"SubmitForm": "a form that sends itself",
    b"ImportData": "an action that reads files",
    b"GoToR": "a link into another file",
    b"GoToE": "a link into a file inside",
    b"EmbeddedFile": "a file inside",
    b"EmbeddedFiles": "a file inside",
    b"RichMedia": "media that play",
    b"Rendition": "media that play",
    b"Movie": "media that play",
    b"Sound": "media that play",
    b"XFA": "an XFA form",
    b"Encrypt": "encryption",
}
_SHORT: Final = re.compile(rb"/JS(?=[\s/<(\[\d])")  # in packed data three letters occur by chance
_NAME: Final = re.compile(rb"/(" + b"|".join(_ACTIVE) + rb")(?=[\s/<>(){}\[\]%\x00]|$)")
_ESCAPE: Final = re.compile(rb"#([0-9a-fA-F]{2})")
_STREAM: Final = re.compile(rb"\bstream\r?\n")
_OBJECT_STREAM: Final = re.compile(rb"/ObjStm(?=[\s/<>(){}\[\]%\x00])")
_FILTERS: Final = re.compile(rb"/Filter\s*(/\w+|\[[^\]]*\])")
_FLATE: Final = re.compile(rb"/FlateDecode|\[\s*/FlateDecode\s*\]")


def check(raw: bytes) -> None:
    """
    Return if the PDF is plain. Raises ``Unfit`` saying what it holds.
    """
    if not re.match(rb"%PDF-[12]\.\d", raw):
        raise Unfit("begins as a PDF, but does not say of which version: " + _PLAIN)
    tail = raw[-2_048:]
    if b"%%EOF" not in tail or b"startxref" not in tail:
        raise Unfit("is a PDF without its end: send the whole file")
    plain = _unescaped(raw)
    if b"/Root" not in plain and not _OBJECT_STREAM.search(plain):
        raise Unfit("is no PDF that a reader could open: " + _PLAIN)
    _look(plain)
    _look_into_object_streams(plain, raw)


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text)


def _look(text: bytes) -> None:
    found = _NAME.search(text)
    if found:
        raise Unfit(f"is a PDF with {_ACTIVE[found[1]]} in it: {_PLAIN}")
    if _SHORT.search(_outside_streams(text)):
        raise Unfit(f"is a PDF with a script in it: {_PLAIN}")


def _outside_streams(text: bytes) -> bytes:
    return re.sub(rb"\bstream\r?\n.*?endstream", b" ", text, flags=re.DOTALL)


def _look_into_object_streams(plain: bytes, raw: bytes) -> None:
    expected = len(_OBJECT_STREAM.findall(plain))
    looked_at = unpacked = 0
    start = 0
    for found in _STREAM.finditer(raw):
        head = _unescaped(raw[max(start, raw.rfind(b" obj", start, found.start())) : found.start()])
        start = found.end()
        if not _OBJECT_STREAM.search(head + b" "):
            continue
        inner = _unpacked(raw[found.end() :], head, _MOST_UNPACKED - unpacked)
        unpacked += len(inner)
        looked_at += 1
        _look(_unescaped(inner))
    if looked_at < expected:
        raise Unfit("is a PDF whose structure hides something: " + _PLAIN)


def _unpacked(data: bytes, head: bytes, at_most: int) -> bytes:
    filters = _FILTERS.search(head)
    if filters is None:
        return data[: max(data.find(b"endstream"), 0)]
    if not _FLATE.fullmatch(filters[1]):
        raise Unfit("is a PDF packed in an unusual way: " + _PLAIN)
    reader = zlib.decompressobj()
    try:
        inner = reader.decompress(data, at_most + 1)
    except zlib.error:
        raise Unfit("is a PDF that is damaged: " + _PLAIN) from None
    if len(inner) > at_most:
        raise Unfit(f"is a PDF that unpacks to more than {_MOST_UNPACKED // 1_048_576} MB: {_PLAIN}")
    return inner
