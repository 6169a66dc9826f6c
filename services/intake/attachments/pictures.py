"""
A picture, decoded whole and written anew: what the public copy holds is pixels and nothing else.

Runs in a process of its own with bounded memory and time (``decoder``): Pillow decodes what strangers made.
"""

import math
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any, Final
from zoneinfo import ZoneInfo

from PIL import Image, UnidentifiedImageError, WebPImagePlugin

from services.intake.attachments.kinds import Kind, Unfit

MAX_PIXELS: Final = {  # WebP's decoder holds a picture four times
    Kind.JPEG: 50_000_000,
    Kind.PNG: 50_000_000,
    Kind.GIF: 50_000_000,
    Kind.WEBP: 25_000_000,
}
MAX_SIDE: Final = 20_000
MAX_FRAMES: Final = 100
PUBLIC_SIDE: Final = 2_048
THUMB_SIDE: Final = 320
_BAND: Final = 64
_FORMATS: Final = {
    Kind.JPEG: "JPEG",
    Kind.PNG: "PNG",
    Kind.GIF: "GIF",
    Kind.WEBP: WebPImagePlugin.WebPImageFile.format,  # not among those that Pillow loads by itself
}
_ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_DAMAGED: Final = "is a damaged or cut off picture: send it again, or another one"
_BROKEN_EXIF: Final = (
    ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error,
)  # fmt: skip
_ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x0112, 0x8769, 0x8825
_TAKEN_AT, _TAKEN_OFFSET = 0x9003, 0x9011
_TURNS: Final[Mapping[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """
    What was made of a picture: its size as seen, both copies (JPEG), and what its camera says of when and where.
    """

    width: int
    height: int
    public: bytes
    thumb: bytes
    taken_at: datetime | None = None
    position: tuple[float, float] | None = None


def prepare(raw: bytes, kind: Kind) -> Picture:
    """
    Decode it all and make its copies, upright, on white. Of a picture that moves the first frame.

    Raises ``Unfit`` for what is too large, too long or damaged; ``MemoryError`` and whatever Pillow raises on files
    that were made to break it: the caller is a process that may die of it.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS[kind]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if kind is Kind.PNG:
                _open(raw, kind).verify()  # load() does not look at checksums
            with _open(raw, kind) as picture:
                return _prepared(picture, kind)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Unfit(_too_large(kind)) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error):
        raise Unfit(_DAMAGED) from None


def _open(raw: bytes, kind: Kind) -> Image.Image:
    return Image.open(BytesIO(raw), formats=[_FORMATS[kind]])


def _prepared(picture: Image.Image, kind: Kind) -> Picture:
    width, height = picture.size
    if width * height > MAX_PIXELS[kind] or max(width, height) > MAX_SIDE:
        raise Unfit(_too_large(kind))
    if kind is not Kind.JPEG and getattr(picture, "n_frames", 1) > MAX_FRAMES:  # a JPEG's others are previews
        raise Unfit(f"has more than {MAX_FRAMES} frames: send one picture of it")
    if kind is Kind.JPEG:
        picture.draft("RGB", (PUBLIC_SIDE, PUBLIC_SIDE))  # decodes all, but at a fraction of the size
    picture.load()
    exif = _exif(picture)  # not before: a PNG is loaded by it, and fails only once
    orientation = exif.get(_ORIENTATION)
    public = _small(_reduced(picture), PUBLIC_SIDE)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is not None:
        public = public.transpose(turn)
        if turn not in (_TURNS[2], _TURNS[3], _TURNS[4]):
            width, height = height, width
    thumb = _small(public, THUMB_SIDE)
    return Picture(width, height, _jpeg(public, 85), _jpeg(thumb, 80), _taken_at(exif), _position(exif))


def _too_large(kind: Kind) -> str:
    return (
        f"has more than {MAX_PIXELS[kind] // 1_000_000} megapixels, or a side of more than {MAX_SIDE} pixels: "
        "send a smaller picture"
    )


def _reduced(picture: Image.Image) -> Image.Image:
    """
    The picture on white, at a whole fraction of its size if it is much larger than the public copy. Done in bands: with
    whole copies in other modes a large picture would take its memory three times.
    """
    factor = max(1, max(picture.size) // PUBLIC_SIDE)
    if factor == 1:
        return _opaque(picture)
    width, height = picture.size
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, _BAND * factor):
        band = picture.crop((0, top, width, min(top + _BAND * factor, height)))
        band.info = picture.info
        small.paste(_opaque(band).reduce(factor), (0, top // factor))
    return small


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bit grey; convert() would cut it off at 255
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("RGB")
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, "white")
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    return picture.convert("RGB")


def _small(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    bare = Image.new("RGB", picture.size)
    bare.paste(picture)  # what else the file told (comment, profile, EXIF, XMP) does not come along
    out = BytesIO()
    bare.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


# --- what the camera says: a suggestion for whoever sent the picture, so broken EXIF is as good as none ---


def _exif(picture: Image.Image) -> Image.Exif:
    try:
        exif = picture.getexif()
        dict(exif)
    except _BROKEN_EXIF:
        return Image.Exif()
    return exif


def _ifd(exif: Image.Exif, tag: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except _BROKEN_EXIF:
        return {}


def _taken_at(exif: Image.Exif) -> datetime | None:
    tags = _ifd(exif, _EXIF_IFD)
    try:
        zone = _zone(str(tags.get(_TAKEN_OFFSET, "")).strip("\x00 "))
        moment = datetime.strptime(str(tags[_TAKEN_AT]).strip("\x00 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=zone)
        return moment if moment.astimezone(UTC).year >= 1990 else None
    except _BROKEN_EXIF:
        return None


def _zone(offset: str) -> timezone | ZoneInfo:
    if len(offset) != 6 or offset[0] not in "+-":
        return _ISTANBUL  # most cameras tell the time of the clock on the wall alone
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _position(exif: Image.Exif) -> tuple[float, float] | None:
    tags = _ifd(exif, _GPS_IFD)
    try:
        lat, lon = _degrees(tags[2], tags[1], "S"), _degrees(tags[4], tags[3], "W")
    except _BROKEN_EXIF:
        return None
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180) or lat == lon == 0:
        return None
    return round(lat, 6), round(lon, 6)


def _degrees(parts: Any, side: Any, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3_600
    return -value if str(side).strip("\x00 ").upper() == negative else value
