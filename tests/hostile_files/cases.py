"""
Two hundred files that a stranger may send, and what becomes of each. Made by code, so that no scanner of a repository
finds a bomb in it.
"""

import gzip
import io
import struct
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image

from services.intake.attachments.kinds import MAX_BYTES, Kind
from tests.hostile_files.pictures import (
    SECRET,
    drawing,
    exif,
    gif,
    jpeg,
    jpeg_segment,
    pdf,
    pdf_stream,
    png,
    png_chunk,
    png_text,
    raw_gif,
    raw_png,
    saved,
    webp,
    with_segments,
)


@dataclass(frozen=True, slots=True)
class Case:
    """
    A file, and what is said of it: the kind it is taken as, or words of the refusal. ``heavy``: it would take much
    memory or time and is for the decoder's own process alone.
    """

    name: str
    make: Callable[[], bytes]
    outcome: Kind | str
    heavy: bool = False


DAMAGED: Final = "damaged or cut off"
TOO_LARGE: Final = "megapixels"
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML: Final = b"<!DOCTYPE html><html><body><script>alert(document.cookie)</script></body></html>"
PHP: Final = b"<?php system($_GET['c']); ?>"


def _zip(name: str = "a.txt", content: bytes = SECRET, times: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as box:
        for index in range(times):
            box.writestr(f"{index}{name}", content)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as box:
        box.addfile(tarfile.TarInfo("a.txt"))
    return out.getvalue()


def _wav() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(b"\0" * 800)
    return out.getvalue()


def _box(brand: bytes) -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + b"\0\0\0\0" + brand + b"mif1" + b"\0" * 200


def _wrong_types() -> Iterator[Case]:
    sound, film, archive, program = "sound recording", "a film", "an archive", "a program"
    files: dict[str, tuple[bytes, str]] = {
        "nothing": (b"", "is empty"),
        "one byte": (b"\xff", "no kind that we know"),
        "zeros": (b"\0" * 5_000, "no kind that we know"),
        "plain text": ("Sokakta çukur var".encode(), "no kind that we know"),
        "text in UTF-16": ("Sokakta çukur var".encode("utf-16"), "no kind that we know"),
        "JSON": (b'{"file": "a.jpg"}', "no kind that we know"),
        "a data URL": (b"data:image/png;base64,iVBORw0KGgo=", "no kind that we know"),
        "base64 of a JPEG": (b"/9j/4AAQSkZJRgABAQAAAQABAAD/", "no kind that we know"),
        "HTML": (HTML, "HTML or XML"),
        "HTML behind blanks": (b" \r\n\t" + HTML, "HTML or XML"),
        "HTML behind a byte order mark": (b"\xef\xbb\xbf" + HTML, "HTML or XML"),
        "HTML in UTF-16": (HTML.decode().encode("utf-16"), "HTML or XML"),
        "HTML behind a comment": (b"<!-- \xff\xd8\xff -->" + HTML, "HTML or XML"),
        "XML": (b'<?xml version="1.0"?><a/>', "HTML or XML"),
        "XML with entities": (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><a>&d;</a>',
            "HTML or XML",
        ),
        "XML that asks for a file": (
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
            "HTML or XML",
        ),
        "PHP": (PHP, "HTML or XML"),
        "SVG with script": (SVG, "SVG"),
        "SVG behind an XML head": (b'<?xml version="1.0"?>' + SVG, "SVG"),
        "SVG with a prefix": (b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>', "SVG"),
        "SVG packed": (gzip.compress(SVG, mtime=0), archive),
        "HEIC": (_box(b"heic"), "HEIC"),
        "HEIC of many": (_box(b"hevc"), "HEIC"),
        "HEIF": (_box(b"mif1"), "HEIC"),
        "HEIX": (_box(b"heix"), "HEIC"),
        "AVIF": (_box(b"avif"), "AVIF"),
        "real AVIF": (saved(drawing(), "AVIF"), "AVIF"),
        "MP4": (_box(b"isom"), film),
        "QuickTime": (_box(b"qt  "), film),
        "3GP": (_box(b"3gp4"), film),
        "Matroska": (b"\x1a\x45\xdf\xa3" + b"\0" * 100, film),
        "AVI": (b"RIFF\x24\0\0\0AVI LIST" + b"\0" * 40, film),
        "Flash film": (b"FLV\x01\x05\0\0\0\x09", film),
        "WhatsApp voice": (b"OggS\0\x02" + b"\0" * 20 + b"OpusHead" + b"\0" * 80, sound),
        "MP3 with tags": (b"ID3\x04\0\0\0\0\0\0" + b"\0" * 100, sound),
        "MP3": (b"\xff\xfb\x90\x00" + b"\0" * 400, sound),
        "AMR": (b"#!AMR\n" + b"\0" * 100, sound),
        "FLAC": (b"fLaC\0\0\0\x22", sound),
        "WAV": (_wav(), sound),
        "M4A": (_box(b"M4A "), sound),
        "zip": (_zip(), archive),
        "zip bomb": (_zip(content=b"\0" * 5_000_000, times=4), archive),
        "empty zip": (b"PK\x05\x06" + b"\0" * 18, archive),
        "Word": (_zip("word/document.xml"), archive),
        "old Word": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "Office"),
        "RTF": (b"{\\rtf1 a}", "Office"),
        "gzip": (gzip.compress(SECRET, mtime=0), archive),
        "bzip2": (b"BZh91AY&SY" + b"\0" * 40, archive),
        "xz": (b"\xfd7zXZ\0" + b"\0" * 40, archive),
        "zstd": (b"\x28\xb5\x2f\xfd" + b"\0" * 40, archive),
        "rar": (b"Rar!\x1a\x07\x01\0" + b"\0" * 40, archive),
        "7z": (b"7z\xbc\xaf\x27\x1c" + b"\0" * 40, archive),
        "cabinet": (b"MSCF\0\0\0\0" + b"\0" * 40, archive),
        "tar": (_tar(), "no kind that we know"),
        "Windows program": (b"MZ\x90\0" + b"\0" * 200, program),
        "Linux program": (b"\x7fELF\x02\x01\x01" + b"\0" * 60, program),
        "Mac program": (b"\xcf\xfa\xed\xfe" + b"\0" * 60, program),
        "Java class": (b"\xca\xfe\xba\xbe\0\0\0\x34", program),
        "shell script": (b"#!/bin/sh\nrm -rf /\n", program),
        "WebAssembly": (b"\0asm\x01\0\0\0", program),
        "PostScript": (b"%!PS-Adobe-3.0\n(a) print\n", "PostScript"),
        "EPS with a head": (b"\xc5\xd0\xd3\xc6" + b"\0" * 40, "PostScript"),
        "BMP": (saved(drawing(), "BMP"), "picture of another kind"),
        "TIFF": (saved(drawing(), "TIFF"), "picture of another kind"),
        "big-endian TIFF": (b"MM\0*\0\0\0\x08\0\0", "picture of another kind"),
        "icon": (saved(drawing(32, 32), "ICO"), "picture of another kind"),
        "JPEG 2000": (saved(drawing(), "JPEG2000"), "picture of another kind"),
        "Photoshop": (b"8BPS\0\x01" + b"\0" * 40, "picture of another kind"),
        "JPEG XL": (b"\xff\x0a" + b"\0" * 40, "picture of another kind"),
        "QOI": (b"qoif" + b"\0" * 40, "picture of another kind"),
        "ILBM": (b"FORM\0\0\0\x20ILBM", "picture of another kind"),
        "PPM": (saved(drawing(), "PPM"), "no kind that we know"),
        "ImageMagick script": (b"push graphic-context\nfill 'url(https://a/b|ls)'\n", "no kind that we know"),
        "PDF behind other bytes": (b"junk\n" + pdf(), "something before the PDF"),
        "JPEG behind a byte": (b"\0" + jpeg(), "no kind that we know"),
        "PNG behind a line": (b"\n" + png(), "no kind that we know"),
        "RIFF of nothing": (b"RIFF\0\0\0\0ABCD", "no kind that we know"),
        "GIF of another age": (b"GIF90a" + gif()[6:], "no kind that we know"),
        "too many bytes": (jpeg() + b"\0" * MAX_BYTES, "larger than 12 MB"),
    }
    for name, (content, outcome) in files.items():
        yield Case(f"type: {name}", lambda content=content: content, outcome)


def _heads_alone() -> Iterator[Case]:
    """
    The right first bytes and something else behind them.
    """
    starts = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF89a", "WebP": b"RIFF\0\0\1\0WEBP"}
    rest = {
        "nothing": b"",
        "HTML": HTML,
        "PHP": PHP,
        "a zip": _zip(),
        "a program": b"MZ" + b"\x90" * 500,
        "zeros": b"\0" * 3_000,
        "0xFF": b"\xff" * 3_000,
        "noise": b"\0\1\0\1" + Random(1).randbytes(3_000),
    }
    for kind, start in starts.items():
        for what, content in rest.items():
            yield Case(f"head: {kind} and then {what}", lambda raw=start + content: raw, DAMAGED)
    yield Case("head: PDF and then nothing", lambda: b"%PDF-1.4\n", "without its end")
    yield Case("head: PDF and then HTML", lambda: b"%PDF-1.4\n" + HTML, "without its end")
    yield Case("head: PDF and its end alone", lambda: b"%PDF-1.4\nstartxref\n0\n%%EOF\n", "no PDF that a reader")


def _cut_off() -> Iterator[Case]:
    noise = Image.frombytes("RGB", (80, 60), Random(3).randbytes(80 * 60 * 3))
    whole = {
        "JPEG": saved(noise, "JPEG"),
        "progressive JPEG": saved(noise, "JPEG", progressive=True),
        "PNG": saved(noise, "PNG"),
        "WebP": saved(noise, "WEBP"),
        "lossless WebP": saved(noise, "WEBP", lossless=True),
        "GIF": saved(noise, "GIF"),
    }
    for kind, raw in whole.items():
        for share in (10, 30, 50, 70, 90):
            cut = raw[: len(raw) * share // 100]
            yield Case(f"cut off: {kind} after {share} %", lambda cut=cut: cut, DAMAGED)
    for share in (50, 90):
        cut = pdf()[: len(pdf()) * share // 100]
        yield Case(f"cut off: PDF after {share} %", lambda cut=cut: cut, "without its end")


def _damaged() -> Iterator[Case]:
    whole = raw_png(8, 8)
    wrong_sum = bytearray(whole)
    wrong_sum[-20] ^= 0xFF
    yield Case("damaged: PNG with a wrong checksum", lambda: bytes(wrong_sum), DAMAGED)
    yield Case("damaged: PNG of no width", lambda: raw_png(0, 8, data=zlib.compress(b"")), DAMAGED)
    yield Case("damaged: PNG with an unknown compression", lambda: raw_png(8, 8, data=b"\xff" * 40), DAMAGED)
    yield Case("damaged: PNG with too few pixels", lambda: raw_png(80, 80, data=zlib.compress(b"\0" * 100)), DAMAGED)
    yield Case("damaged: PNG with half a chunk", lambda: whole[:40] + b"\x7f\xff\xff\xffIDAT", DAMAGED)
    yield Case("damaged: PNG with an impossible depth", lambda: _with_depth(whole, 7), DAMAGED)
    yield Case("damaged: JPEG of no height", lambda: _jpeg_sized(64, 0), DAMAGED)
    yield Case(
        "damaged: JPEG without tables", lambda: b"\xff\xd8" + jpeg_segment(0xC0, bytes(15)) + b"\xff\xd9", DAMAGED
    )
    yield Case("damaged: JPEG with a segment of no length", lambda: b"\xff\xd8\xff\xe0\0\0" + jpeg()[2:], Kind.JPEG)
    yield Case("damaged: GIF without frames", lambda: raw_gif(8, 8, 0), DAMAGED)
    yield Case("damaged: WebP that says it is longer", lambda: b"RIFF\xff\xff\xff\x7f" + webp()[8:], DAMAGED)


def _with_depth(raw: bytes, depth: int) -> bytes:
    head = bytearray(raw[16:29])
    head[8] = depth
    return raw[:8] + png_chunk(b"IHDR", bytes(head)) + raw[33:]


def _jpeg_sized(width: int, height: int) -> bytes:
    """
    A JPEG whose head says another size than its data have.
    """
    raw = jpeg()
    place = raw.index(b"\xff\xc0") + 5
    return raw[:place] + struct.pack(">HH", height, width) + raw[place + 4 :]


def _bombs() -> Iterator[Case]:
    black = {
        "PNG of 7,072 squared": (raw_png, 7_072, 7_072),
        "PNG of 30,000 squared": (raw_png, 30_000, 2_000),
        "PNG of one row": (raw_png, 20_001, 1),
        "PNG of one column": (raw_png, 1, 20_001),
    }
    for name, (make, width, height) in black.items():
        yield Case(f"bomb: {name}", lambda make=make, w=width, h=height: make(w, h, depth=1, colour=0), TOO_LARGE)
    for side in (65_535, 2**31 - 1):
        yield Case(f"bomb: PNG that says {side} squared", lambda side=side: raw_png(side, side, data=b"x"), TOO_LARGE)
    yield Case("bomb: JPEG that says 65,500 squared", lambda: _jpeg_sized(65_500, 65_500), TOO_LARGE)
    yield Case("bomb: JPEG that says 60,000 by 1", lambda: _jpeg_sized(60_000, 1), TOO_LARGE)
    yield Case("bomb: GIF with a screen of 65,535 squared", lambda: raw_gif(65_535, 65_535, 1), TOO_LARGE)
    yield Case(
        "bomb: GIF with a frame larger than its screen",
        lambda: raw_gif(8, 8, 1, frame_size=(65_535, 65_535)),
        TOO_LARGE,
        heavy=True,
    )
    yield Case("bomb: GIF with 10,000 frames", lambda: raw_gif(8, 8, 10_000), "more than 100 frames")
    yield Case("bomb: GIF with 101 frames", lambda: raw_gif(8, 8, 101), "more than 100 frames")
    yield Case("bomb: GIF with 100 large frames", lambda: raw_gif(7_000, 7_000, 100), Kind.GIF, heavy=True)
    yield Case("bomb: WebP with 120 frames", lambda: _moving("WEBP", 120), "more than 100 frames")
    yield Case("bomb: PNG with 120 frames", lambda: _moving("PNG", 120), "more than 100 frames")
    yield Case("bomb: WebP of 16,000 by 3,200", lambda: webp(16_000, 3_200, quality=1), TOO_LARGE, heavy=True)
    yield Case("bomb: a packed text of 50 MB", lambda: png(pnginfo=None)[:33] + _packed_text(50) + png()[33:], DAMAGED)
    yield Case("bomb: a packed profile of 50 MB", lambda: raw_png(8, 8, _packed_profile(50)), DAMAGED)
    yield Case("bomb: 5,000 chunks", lambda: raw_png(8, 8, png_chunk(b"teSt", b"x") * 5_000), Kind.PNG)
    yield Case("bomb: 500 packed texts", lambda: raw_png(8, 8, *[_packed_text(1)] * 500), DAMAGED, heavy=True)
    yield Case(
        "bomb: 20,000 empty segments", lambda: with_segments(jpeg(), *[jpeg_segment(0xFE, b"")] * 20_000), Kind.JPEG
    )
    yield Case("large: PNG of 49 megapixels", lambda: raw_png(7_000, 7_000, colour=6), Kind.PNG, heavy=True)
    yield Case(
        "large: 16-bit PNG of 49 megapixels", lambda: raw_png(7_000, 7_000, depth=16, colour=0), Kind.PNG, heavy=True
    )
    yield Case("large: palette of 49 megapixels", lambda: _palette(7_000), Kind.PNG, heavy=True)
    yield Case(
        "large: JPEG of 49 megapixels", lambda: saved(Image.new("RGB", (7_000, 7_000)), "JPEG"), Kind.JPEG, heavy=True
    )
    yield Case("large: GIF of 49 megapixels", lambda: raw_gif(7_000, 7_000, 1), Kind.GIF, heavy=True)
    yield Case("large: WebP of 49 megapixels", lambda: webp(7_000, 7_000, quality=1), TOO_LARGE, heavy=True)
    yield Case("large: WebP of 24 megapixels", lambda: webp(4_900, 4_900, quality=1), Kind.WEBP, heavy=True)
    yield Case("large: transparent WebP", lambda: webp(4_900, 4_900, mode="RGBA", quality=1), Kind.WEBP, heavy=True)
    yield Case("large: a strip", lambda: raw_png(20_000, 3), Kind.PNG)
    yield Case("small: one pixel", lambda: png(1, 1), Kind.PNG)
    yield Case("small: one pixel as JPEG", lambda: jpeg(1, 1), Kind.JPEG)


def _moving(form: str, frames: int) -> bytes:
    first, *others = (Image.new("RGB", (8, 8), (index * 37 % 256, index * 91 % 256, 7)) for index in range(frames))
    return saved(first, form, save_all=True, append_images=others, lossless=True)


def _packed_text(megabytes: int) -> bytes:
    return png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * megabytes * 1_048_576, 9))


def _packed_profile(megabytes: int) -> bytes:
    return png_chunk(b"iCCP", b"profile\0\0" + zlib.compress(b"a" * megabytes * 1_048_576, 9))


def _palette(side: int) -> bytes:
    return raw_png(side, side, png_chunk(b"PLTE", b"\1\2\3"), png_chunk(b"tRNS", b"\x80"), colour=3)


def _polyglots() -> Iterator[Case]:
    """
    Pictures that are something else as well: taken, and the copies are pictures alone.
    """
    wholes = {Kind.JPEG: jpeg(), Kind.PNG: png(), Kind.GIF: gif(), Kind.WEBP: webp()}
    behind = {
        "a zip": _zip(),
        "HTML": HTML + SECRET,
        "PHP": PHP + SECRET,
        "a program": b"MZ" + SECRET,
        "a PDF": pdf(b"(" + SECRET + b")"),
        "a film (moving photo)": _box(b"isom") + SECRET,
        "another picture": jpeg(comment=SECRET),
    }
    for kind, whole in wholes.items():
        for what, content in behind.items():
            yield Case(f"polyglot: {kind.suffix} with {what} behind it", lambda raw=whole + content: raw, kind)
    for what, content in behind.items():
        segment = jpeg_segment(0xFE, content[:60_000])
        yield Case(f"polyglot: jpg with {what} in a comment", lambda s=segment: with_segments(jpeg(), s), Kind.JPEG)
        chunk = png_chunk(b"teXt", content)
        yield Case(f"polyglot: png with {what} in a chunk", lambda c=chunk: raw_png(8, 8, c), Kind.PNG)
    yield Case("polyglot: GIF that is JavaScript", _gif_script, Kind.GIF)
    yield Case("polyglot: PDF that is a zip", lambda: pdf(end=b"%%EOF\n" + _zip()), Kind.PDF)
    yield Case("polyglot: PDF that is HTML", lambda: pdf(b"(" + HTML + b")"), Kind.PDF)


def _gif_script() -> bytes:
    raw = gif()
    return raw[:-1] + b"!\xfe" + bytes([len(SECRET)]) + SECRET + b"\0;/*" + HTML + b"*/=1;"


def _tell_tales() -> Iterator[Case]:
    """
    Pictures that say where, when and by whom they were made, or something hostile instead.
    """
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(SECRET)) + SECRET
    notes: dict[str, bytes] = {
        "EXIF": exif(),
        "no position": exif(position=None),
        "a position in the south west": exif(position=(-33.9, -70.1)),
        "a position off the globe": exif(position=(95.0, 200.0)),
        "a position that is nowhere": exif(position=(0.0, 0.0)),
        "a time that is none": exif(taken_at="9999:99:99 99:99:99"),
        "a time of long ago": exif(taken_at="0001:01:01 00:00:00"),
        "a zone that is none": exif(offset="+99:99"),
        "a zone of letters": exif(offset="Z"),
        "a script as time": exif(taken_at="<script>alert(1)</script>"),
        "orientation 9": exif(orientation=9),
        "orientation 65535": exif(orientation=65_535),
        "50 kB of camera's own": exif(others={0x927C: b"x" * 50_000}),
        "a name of the owner": exif(others={0xA430: SECRET.decode(), 0x9C9D: SECRET}),
        "noise": b"Exif\0\0" + Random(2).randbytes(500),
        "a head alone": b"Exif\0\0II*\0",
        "a directory behind the end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
        "a directory in itself": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        "a count of billions": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x08\0\0\0\0\0\0\0",
        "a division by zero": _broken_position(),
    }
    for name, content in notes.items():
        yield Case(f"tell-tale: JPEG with {name}", lambda c=content: jpeg(exif=c), Kind.JPEG)
    for orientation in range(1, 9):
        tags = exif(orientation=orientation)
        yield Case(f"tell-tale: orientation {orientation}", lambda t=tags: jpeg(exif=t), Kind.JPEG)
    yield Case("tell-tale: PNG with EXIF", lambda: png(exif=exif()), Kind.PNG)
    yield Case("tell-tale: WebP with EXIF", lambda: webp(exif=exif()), Kind.WEBP)
    yield Case("tell-tale: WebP with XMP", lambda: webp(xmp=xmp), Kind.WEBP)
    yield Case("tell-tale: JPEG with XMP", lambda: with_segments(jpeg(), jpeg_segment(0xE1, xmp)), Kind.JPEG)
    yield Case("tell-tale: JPEG with IPTC", lambda: with_segments(jpeg(), jpeg_segment(0xED, iptc)), Kind.JPEG)
    yield Case("tell-tale: JPEG with a comment", lambda: jpeg(comment=SECRET), Kind.JPEG)
    yield Case("tell-tale: JPEG with a profile", lambda: jpeg(icc_profile=SECRET * 20), Kind.JPEG)
    yield Case("tell-tale: PNG with texts", lambda: png(pnginfo=png_text(Author=SECRET.decode())), Kind.PNG)
    yield Case("tell-tale: GIF with a comment", lambda: saved(drawing(mode="P"), "GIF", comment=SECRET), Kind.GIF)


def _broken_position() -> bytes:
    gps = struct.pack("<HHHI4sHHII", 2, 1, 2, 2, b"N\0\0\0", 2, 5, 3, 80) + b"\0\0\0\0"
    head = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8825, 4, 1, 26) + b"\0\0\0\0"
    return b"Exif\0\0" + (head + gps).ljust(80, b"\0") + b"\x01\0\0\0\0\0\0\0" * 3


def _colours() -> Iterator[Case]:
    for mode in ("L", "CMYK", "RGB"):
        yield Case(f"colours: JPEG {mode}", lambda mode=mode: jpeg(mode=mode), Kind.JPEG)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield Case(f"colours: PNG {mode}", lambda mode=mode: _png_in(mode), Kind.PNG)
    for mode in ("RGB", "RGBA", "L"):
        yield Case(f"colours: WebP {mode}", lambda mode=mode: webp(mode=mode), Kind.WEBP)
    yield Case("colours: PNG RGB with a transparent colour", lambda: png(transparency=(255, 255, 255)), Kind.PNG)
    yield Case("colours: PNG 16-bit RGB", lambda: raw_png(8, 8, depth=16), Kind.PNG)
    yield Case("colours: JPEG in parts", lambda: jpeg(800, 600, progressive=True), Kind.JPEG)
    yield Case("colours: GIF that moves", lambda: gif(frames=5), Kind.GIF)
    yield Case("colours: PNG that moves", lambda: _moving("PNG", 3), Kind.PNG)
    yield Case("colours: WebP that moves", lambda: _moving("WEBP", 3), Kind.WEBP)
    yield Case("colours: JPEG with a second picture (MPO)", _mpo, Kind.JPEG)


def _png_in(mode: str) -> bytes:
    return saved(drawing(mode="I").convert("I;16"), "PNG") if mode == "I;16" else png(mode=mode)


def _mpo() -> bytes:
    return saved(drawing(), "MPO", save_all=True, append_images=[drawing(32, 24)])


def _pdfs() -> Iterator[Case]:
    script, plain = b"<< /S /JavaScript /JS (app.alert(1)) >>", Kind.PDF
    files: dict[str, tuple[bytes, Kind | str]] = {
        "one page": (pdf(), plain),
        "version 2.0": (pdf(version=b"2.0"), plain),
        "text and a link": (pdf(b"<< /S /URI /URI (https://example.org) >>"), plain),
        "packed contents": (pdf(pdf_stream(b"BT (a) Tj ET")), plain),
        "three letters by chance in packed data": (pdf(pdf_stream(b"\x01/JS \x02", packed=False)), plain),
        "a plain object stream": (pdf(pdf_stream(b"5 0 << /Type /Font >>", b"/Type /ObjStm /N 1 /First 4")), plain),
        "a script": (pdf(script, catalog=b"/OpenAction 4 0 R"), "a script"),
        "a script without an action": (pdf(b"<< /JS (app.alert(1)) >>"), "a script"),
        "a script with an escaped name": (pdf(b"<< /S /J#61vaScr#69pt /J#53 (a) >>"), "a script"),
        "scripts by name": (pdf(catalog=b"/Names << /JavaScript 4 0 R >>"), "a script"),
        "a script in an object stream": (pdf(pdf_stream(b"5 0 " + script, b"/Type /ObjStm")), "a script"),
        "a script in a bare object stream": (
            pdf(pdf_stream(b"5 0 " + script, b"/Type /ObjStm", packed=False)),
            "a script",
        ),
        "an escaped object stream": (pdf(pdf_stream(b"5 0 " + script, b"/Type /Obj#53tm")), "a script"),
        "a program to start": (pdf(b"<< /S /Launch /F (cmd.exe) >>"), "starts a program"),
        "a file inside": (pdf(pdf_stream(b"MZ", b"/Type /EmbeddedFile")), "a file inside"),
        "files by name": (pdf(catalog=b"/Names << /EmbeddedFiles 4 0 R >>"), "a file inside"),
        "a form that sends": (pdf(b"<< /S /SubmitForm /F (https://example.org) >>"), "sends itself"),
        "a form that reads": (pdf(b"<< /S /ImportData /F (a.fdf) >>"), "reads files"),
        "a way to another file": (pdf(b"<< /S /GoToR /F (\\\\\\\\host\\\\a.pdf) >>"), "another file"),
        "a way to a file inside": (pdf(b"<< /S /GoToE >>"), "a file inside"),
        "media": (pdf(b"<< /Subtype /RichMedia >>"), "media"),
        "a film": (pdf(b"<< /Subtype /Movie >>"), "media"),
        "a sound": (pdf(b"<< /S /Sound >>"), "media"),
        "an XFA form": (pdf(catalog=b"/AcroForm << /XFA 4 0 R >>"), "XFA"),
        "encryption": (pdf().replace(b"/Root", b"/Encrypt 4 0 R /Root"), "encryption"),
        "an object stream that is a bomb": (
            pdf(pdf_stream(b"\0" * 40_000_000, b"/Type /ObjStm")),
            "unpacks to more than",
        ),
        "an object stream packed twice": (
            pdf(b"<< /Type /ObjStm /Filter [/ASCIIHexDecode /FlateDecode] /Length 2 >>\nstream\n00\nendstream"),
            "an unusual way",
        ),
        "an object stream that is noise": (
            pdf(b"<< /Type /ObjStm /Filter /FlateDecode /Length 4 >>\nstream\nabcd\nendstream"),
            "damaged",
        ),
        "an object stream without its stream": (pdf(b"<< /Type /ObjStm >>"), "hides something"),
        "a script behind the word stream": (pdf(b"% stream\n" + script + b"\n% endstream"), "a script"),
        "no version": (pdf().replace(b"%PDF-1.4", b"%PDF-x.y"), "of which version"),
        "no root": (pdf().replace(b"/Root", b"/Rooo"), "no PDF that a reader"),
        "no end": (pdf(end=b""), "without its end"),
        "50,000 objects": (pdf(*[b"<< /A 1 >>"] * 50_000), plain),
    }
    for name, (content, outcome) in files.items():
        yield Case(f"pdf: {name}", lambda content=content: content, outcome)


CASES: Final = tuple(
    case
    for group in (_wrong_types, _heads_alone, _cut_off, _damaged, _bombs, _polyglots, _tell_tales, _colours, _pdfs)
    for case in group()
)
