"""
What a file is, by its first bytes alone: never by its name, nor by what its sender calls it. Pure.
"""

import re
from enum import StrEnum
from typing import Final

MAX_BYTES: Final = 12 * 1024 * 1024


class Unfit(Exception):
    """
    The file is not taken; the message says what is wrong and what would be right, and quotes nothing of it.
    """


class Kind(StrEnum):
    """
    What is taken.
    """

    JPEG = "image/jpeg"
    PNG = "image/png"
    WEBP = "image/webp"
    GIF = "image/gif"
    PDF = "application/pdf"

    @property
    def picture(self) -> bool:
        """
        Whether it has a public copy and a thumbnail.
        """
        return self is not Kind.PDF

    @property
    def suffix(self) -> str:
        """
        How a downloaded file's name ends.
        """
        return {Kind.JPEG: "jpg"}.get(self, self.value.rpartition("/")[2])


TAKEN: Final = "send a picture as JPEG, PNG, WebP or GIF, or a PDF"
_STARTS: Final = (
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"%PDF-", Kind.PDF),
)
_HEIC: Final = (
    "is a HEIC picture, which browsers cannot show: send it as JPEG "
    "(iPhone: Settings, Camera, Formats, Most Compatible; or share it as JPEG)"
)
_BOXES: Final = (  # brands of the ISO base media format, ISO 14496-12
    ((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), _HEIC),
    ((b"avif", b"avis"), f"is an AVIF picture: {TAKEN}"),
    ((b"M4A ", b"M4B "), f"is a sound recording, which is not taken yet: {TAKEN}"),
)
_OTHERS: Final = (
    (rb"OggS|ID3|\xff[\xf2\xf3\xfa\xfb]|#!AMR|fLaC|RIFF....WAVE", "a sound recording, which is not taken yet"),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |FLV\x01", "a film"),
    (rb"PK\x03\x04|PK\x05\x06|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\{\\rtf", "an archive or an Office document"),
    (rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|MSCF", "an archive"),
    (rb"MZ|\x7fELF|\xca\xfe\xba\xbe|\xcf\xfa\xed\xfe|#!|\x00asm", "a program"),
    (rb"%!|\xc5\xd0\xd3\xc6", "a PostScript document"),
    (
        rb"BM|II\*\x00|MM\x00\*|II\+\x00|MM\x00\+|8BPS|\x00\x00\x01\x00|\x00\x00\x00\x0cjP  |\xff\x0a|FORM|qoif",
        "a picture of another kind",
    ),
)
_MARKUP: Final = re.compile(rb"[\xef\xbb\xbf\xff\xfe\s\x00]*<", re.DOTALL)
_SVG: Final = re.compile(rb"<\s*(?:\w+:)?svg\b", re.IGNORECASE)


def kind_of(raw: bytes) -> Kind:
    """
    What the file is. Raises ``Unfit`` naming what it is instead, where that can be told.
    """
    if not raw:
        raise Unfit(f"is empty: {TAKEN}")
    if len(raw) > MAX_BYTES:
        raise Unfit(f"is larger than {MAX_BYTES // 1_048_576} MB: {TAKEN} that is smaller")
    for start, kind in _STARTS:
        if raw.startswith(start):
            return kind
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return Kind.WEBP
    raise Unfit(_instead(raw))


def _instead(raw: bytes) -> str:
    if raw[4:8] == b"ftyp":
        for brands, message in _BOXES:
            if raw[8:12] in brands:
                return message
        return f"is a film: {TAKEN}"
    if _MARKUP.match(raw[:64]):
        what = "an SVG drawing, which can hold scripts" if _SVG.search(raw[:4_096]) else "HTML or XML"
        return f"is {what}: {TAKEN}"
    for pattern, what in _OTHERS:
        if re.match(pattern, raw, re.DOTALL):
            return f"is {what}: {TAKEN}"
    if b"%PDF-" in raw[:1_024]:
        return f"has something before the PDF in it: {TAKEN} that begins as one"
    return f"is of no kind that we know: {TAKEN}"
