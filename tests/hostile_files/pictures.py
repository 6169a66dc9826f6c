"""
Files for tests, made when they are needed: pictures and PDFs as phones and offices make them, and the bricks of others.
"""

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageDraw, PngImagePlugin

POSITION: Final = (41.290512, 36.333101)
SECRET: Final = b"GIZLI-BILGI-4711"
"""What must never be in a public copy."""


def drawing(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """
    A picture with something on it, so that its top differs from its bottom and its left from its right.
    """
    picture = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width // 2, height // 2), fill=(200, 30, 30))
    pen.rectangle((width // 2, height // 2, width, height), fill=(30, 60, 160))
    return picture.convert(mode)


def exif(
    *,
    position: tuple[float, float] | None = POSITION,
    taken_at: str | None = "2026:06:01 12:00:00",
    offset: str | None = "+03:00",
    orientation: int | None = None,
    others: Mapping[int, Any] | None = None,
) -> bytes:
    """
    EXIF as a phone writes it.
    """
    tags = Image.Exif()
    tags[0x010F] = SECRET.decode()
    if orientation is not None:
        tags[0x0112] = orientation
    for tag, value in (others or {}).items():
        tags[tag] = value
    details = tags.get_ifd(0x8769)
    if taken_at is not None:
        details[0x9003] = taken_at
    if offset is not None:
        details[0x9011] = offset
    if position is not None:
        gps = tags.get_ifd(0x8825)
        lat, lon = position
        gps[1], gps[2] = "N" if lat >= 0 else "S", _degrees(abs(lat))
        gps[3], gps[4] = "E" if lon >= 0 else "W", _degrees(abs(lon))
    return tags.tobytes()


def _degrees(value: float) -> tuple[Any, Any, Any]:
    exact = Fraction(value).limit_denominator(10_000_000)
    minutes = (exact - int(exact)) * 60
    seconds = (minutes - int(minutes)) * 60
    return float(int(exact)), float(int(minutes)), float(round(seconds, 4))


def saved(picture: Image.Image, form: str, **options: Any) -> bytes:
    """
    The picture as a file.
    """
    out = BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def jpeg(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """
    A JPEG; options as Pillow's.
    """
    return saved(drawing(width, height, mode), "JPEG", **options)


def png(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """
    A PNG; options as Pillow's.
    """
    return saved(drawing(width, height, mode), "PNG", **options)


def webp(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """
    A WebP; options as Pillow's.
    """
    return saved(drawing(width, height, mode), "WEBP", **options)


def gif(width: int = 64, height: int = 48, frames: int = 1) -> bytes:
    """
    A GIF, which moves if it has several frames.
    """
    first, *others = (Image.new("P", (width, height), index % 255) for index in range(frames))
    more: dict[str, Any] = {"save_all": True, "append_images": others, "optimize": False} if others else {}
    return saved(first if others else drawing(width, height, "P"), "GIF", **more)


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """
    A segment of a JPEG, such as a comment (0xFE) or XMP (0xE1).
    """
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(raw: bytes, *segments: bytes) -> bytes:
    """
    A JPEG with segments put in behind its first two bytes.
    """
    return raw[:2] + b"".join(segments) + raw[2:]


def png_chunk(name: bytes, content: bytes) -> bytes:
    """
    A chunk of a PNG.
    """
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def raw_png(
    width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2, data: bytes | None = None
) -> bytes:
    """
    A PNG from its chunks. ``data`` is what IDAT holds, else black pixels, packed a thousand times smaller.
    """
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if data is None:
        packer = zlib.compressobj(9)
        row = b"\0" * (1 + (width * channels * depth + 7) // 8)
        data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def raw_gif(width: int, height: int, frames: int, *, frame_size: tuple[int, int] = (1, 1)) -> bytes:
    """
    A GIF from its blocks: ``frames`` frames of one pixel's data on a screen of any size.
    """
    frame = b",\0\0\0\0" + struct.pack("<HH", *frame_size) + b"\0" + b"\x02\x02D\x01\0"
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def png_text(**texts: str) -> PngImagePlugin.PngInfo:
    """
    Text chunks for ``png(pnginfo=…)``.
    """
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    return info


def pdf(*objects: bytes, catalog: bytes = b"", version: bytes = b"1.4", end: bytes = b"%%EOF\n") -> bytes:
    """
    A PDF of one empty page; ``objects`` come as 4, 5, …; ``catalog`` is put into object 1.
    """
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R " + catalog + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        *objects,
    ]
    out = bytearray(b"%PDF-" + version + b"\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n" % (len(parts) + 1, start)
    return bytes(out + end)


def pdf_stream(content: bytes, entries: bytes = b"", *, packed: bool = True) -> bytes:
    """
    A stream object for ``pdf``.
    """
    inner = zlib.compress(content, 9) if packed else content
    how = b" /Filter /FlateDecode" if packed else b""
    return b"<< %s%s /Length %d >>\nstream\n%s\nendstream" % (entries, how, len(inner), inner)
