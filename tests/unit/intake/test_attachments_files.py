"""
What becomes of each file that a stranger may send, and what the copies of a picture hold: pixels, and nothing else.
"""

import asyncio
import re
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.intake.attachments import pdf, pictures
from services.intake.attachments.decoder import MEMORY_BYTES, look
from services.intake.attachments.kinds import MAX_BYTES, Kind, Unfit, kind_of
from services.intake.attachments.pictures import PUBLIC_SIDE, THUMB_SIDE, prepare
from services.intake.attachments.workshop import Looked, Workshop, WorkshopFull
from tests.hostile_files.cases import CASES, Case
from tests.hostile_files.pictures import POSITION, SECRET, drawing, exif, jpeg, pdf_stream, png, raw_png, saved, webp
from tests.hostile_files.pictures import pdf as a_pdf

MIB = 1_048_576
TELL_TALES = (SECRET, b"Exif", b"http://ns.adobe.com", b"ICC_PROFILE", b"8BIM", b"PK\x03\x04", b"<script", b"<?php")


def assert_bare(copy: bytes, side: int) -> None:
    """
    It is a JPEG of at most ``side`` pixels that holds no segment but those a decoder needs.
    """
    with Image.open(BytesIO(copy), formats=["JPEG"]) as picture:
        picture.load()
        assert max(picture.size) <= side
        assert picture.mode == "RGB"
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}
        assert not dict(picture.getexif())
    assert not [mark for mark in TELL_TALES if mark in copy]
    assert copy.endswith(b"\xff\xd9")


def test_the_table_has_two_hundred_cases_and_more_each_with_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 200


@pytest.mark.parametrize("case", [case for case in CASES if not case.heavy], ids=lambda case: case.name)
def test_each_file_is_taken_as_what_it_is_or_refused_by_name(case: Case) -> None:
    told, public, thumb = look(case.make())
    if isinstance(case.outcome, Kind):
        assert told.get("media_type") == case.outcome.value, told
        if case.outcome.picture:
            assert_bare(public, PUBLIC_SIDE)
            assert_bare(thumb, THUMB_SIDE)
        else:
            assert public == thumb == b""
    else:
        assert case.outcome in told.get("unfit", f"taken as {told}")
        assert public == thumb == b""


@pytest.mark.parametrize("case", [case for case in CASES if case.heavy], ids=lambda case: case.name)
async def test_what_is_large_stays_within_the_memory_of_its_process(case: Case) -> None:
    workshop, raw = Workshop(), case.make()
    if not isinstance(case.outcome, Kind):
        with pytest.raises(Unfit, match=case.outcome):
            await workshop.look(raw)
        return
    looked = await workshop.look(raw)
    assert looked.kind is case.outcome
    assert 10 * 1_024 < looked.peak_kib < 450 * 1_024
    assert_bare(looked.public, PUBLIC_SIDE)


@settings(max_examples=150)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%PDF-1.4\n"]))
def test_whatever_is_sent_is_told_about_and_nothing_of_it_is_quoted(rest: bytes, start: bytes) -> None:
    told, _, _ = look(start + b"Mehmet Demir 0532" + rest)
    assert "unfit" in told or "media_type" in told
    assert "Mehmet" not in str(told)


@settings(max_examples=60)
@given(st.data())
def test_a_picture_with_a_changed_byte_is_a_picture_or_refused(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([jpeg(exif=exif()), png(), webp(), saved(drawing(), "GIF")])))
    place = data.draw(st.integers(12, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    told, public, thumb = look(bytes(raw))
    if "media_type" in told:
        assert_bare(public, PUBLIC_SIDE)
        assert_bare(thumb, THUMB_SIDE)


# --- the copies ---


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_copies_are_upright_whatever_the_camera_says(orientation: int) -> None:
    upright = drawing(400, 200)
    stored = upright
    turn = pictures._TURNS.get(orientation)
    if turn is not None:
        back = {Image.Transpose.ROTATE_90: 4, Image.Transpose.ROTATE_270: 2}  # the one undoes the other
        stored = upright.transpose(Image.Transpose(back.get(turn, turn)))
    made = prepare(saved(stored, "JPEG", quality=95, exif=exif(orientation=orientation)), Kind.JPEG)
    assert (made.width, made.height) == (400, 200)
    for copy in (made.public, made.thumb):
        with Image.open(BytesIO(copy)) as picture:
            assert picture.width == 2 * picture.height
            left_top, right_top = picture.getpixel((5, 5)), picture.getpixel((picture.width - 5, 5))
            right_bottom = picture.getpixel((picture.width - 5, picture.height - 5))
            assert left_top[0] > 150 > left_top[2]
            assert min(right_top) > 200
            assert right_bottom[2] > 120 > right_bottom[0]


@pytest.mark.parametrize(
    ("width", "height", "public", "thumb"),
    [
        (10, 20, (10, 20), (10, 20)),
        (2_048, 1_000, (2_048, 1_000), (320, 156)),
        (4_000, 3_000, (2_048, 1_536), (320, 240)),
        (9_000, 3_000, (2_048, 683), (320, 107)),
        (1, 5_000, (1, 2_048), (1, 320)),
    ],
)
def test_copies_are_made_smaller_never_larger_and_keep_their_form(
    width: int, height: int, public: tuple[int, int], thumb: tuple[int, int]
) -> None:
    made = prepare(raw_png(width, height), Kind.PNG)
    sizes = [Image.open(BytesIO(copy)).size for copy in (made.public, made.thumb)]
    assert (made.width, made.height) == (width, height)
    for got, wanted in zip(sizes, (public, thumb), strict=True):
        assert abs(got[0] - wanted[0]) <= 1
        assert abs(got[1] - wanted[1]) <= 1


@pytest.mark.parametrize("side", [64, 5_000])
def test_what_is_transparent_is_white_and_grey_of_16_bits_is_as_grey_as_before(side: int) -> None:
    clear = prepare(saved(Image.new("RGBA", (side, 64), (0, 0, 0, 0)), "PNG"), Kind.PNG)
    assert min(Image.open(BytesIO(clear.public)).getpixel((3, 3))) > 250
    grey = prepare(saved(Image.new("I;16", (side, 64), 0x8000), "PNG"), Kind.PNG)
    assert abs(Image.open(BytesIO(grey.public)).getpixel((3, 3))[0] - 0x80) <= 2


# --- what the camera says ---


@pytest.mark.parametrize(
    ("tags", "taken_at"),
    [
        ({}, datetime(2026, 6, 1, 9, 0, tzinfo=UTC)),
        ({"offset": None}, datetime(2026, 6, 1, 9, 0, tzinfo=UTC)),
        ({"offset": "-05:30"}, datetime(2026, 6, 1, 17, 30, tzinfo=UTC)),
        ({"offset": "Z"}, datetime(2026, 6, 1, 9, 0, tzinfo=UTC)),
        ({"offset": "+99:99"}, None),
        ({"taken_at": "2026:13:01 12:00:00"}, None),
        ({"taken_at": "0000:00:00 00:00:00"}, None),
        ({"taken_at": "1971:01:01 00:00:00"}, None),
        ({"taken_at": None}, None),
    ],
)
def test_the_time_is_suggested_with_its_zone_or_istanbuls(tags: dict[str, Any], taken_at: datetime | None) -> None:
    assert prepare(jpeg(exif=exif(**tags)), Kind.JPEG).taken_at == taken_at


@pytest.mark.parametrize(
    ("position", "suggested"),
    [
        (POSITION, POSITION),
        ((-33.5, -70.25), (-33.5, -70.25)),
        ((0.0, 0.0), None),
        ((95.0, 20.0), None),
        ((20.0, 185.0), None),
        (None, None),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_position_is_suggested_if_it_is_on_the_globe(
    form: str, position: tuple[float, float] | None, suggested: tuple[float, float] | None
) -> None:
    found = prepare(saved(drawing(), form, exif=exif(position=position)), Kind[form]).position
    assert found == (None if suggested is None else pytest.approx(suggested, abs=1e-5))


# --- PDF ---


@pytest.mark.parametrize("name", sorted(pdf._ACTIVE))
@pytest.mark.parametrize(
    "hide", [lambda name: name, lambda name: b"#%02x" % name[0] + name[1:]], ids=["plain", "escaped"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_no_active_name_passes_plain_escaped_or_packed(
    name: bytes, hide: Callable[[bytes], bytes], packed: bool
) -> None:
    part = b"<< /S /" + hide(name) + b" >>"
    raw = a_pdf(pdf_stream(b"5 0 " + part, b"/Type /ObjStm") if packed else part)
    with pytest.raises(Unfit) as refused:
        pdf.check(raw)
    assert pdf._ACTIVE[name] in str(refused.value)


def test_object_streams_together_unpack_to_no_more_than_the_limit() -> None:
    third = pdf_stream(b"\0" * (12 * MIB), b"/Type /ObjStm")
    pdf.check(a_pdf(third, third))
    with pytest.raises(Unfit, match="unpacks to more than"):
        pdf.check(a_pdf(third, third, third))


# --- the workshop ---


def command(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(
    "code",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "raise MemoryError",
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
        "import sys; sys.stdin.buffer.read(); print('half', end=''); sys.exit(1)",
        "pass",
    ],
)
async def test_a_file_that_breaks_its_process_or_uses_up_its_time_is_not_taken(code: str) -> None:
    with pytest.raises(Unfit, match="made to break"):
        await Workshop(command=command(code)).look(jpeg())


async def test_a_process_that_does_not_get_on_is_ended_and_the_file_is_to_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, start = [], asyncio.create_subprocess_exec

    async def noted(*args: Any, **kwargs: Any) -> asyncio.subprocess.Process:
        made.append(await start(*args, **kwargs))
        return made[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    with pytest.raises(WorkshopFull):
        await Workshop(seconds=0.1, command=command("import time; time.sleep(600)")).look(jpeg())
    assert [process.returncode for process in made] == [-signal.SIGKILL]


async def test_where_no_process_can_be_had_it_is_to_be_sent_again() -> None:
    with pytest.raises(WorkshopFull):
        await Workshop(command=("/nowhere/to/be/found",)).look(jpeg())


async def test_the_process_gets_no_secret_and_is_bounded() -> None:
    code = (
        "import json, os, resource, runpy, sys\n"
        "from services.intake.attachments import decoder\n"
        "decoder._bound()\n"
        "told = {'unfit': json.dumps([sorted(os.environ), resource.getrlimit(resource.RLIMIT_AS)[1],"
        " resource.getrlimit(resource.RLIMIT_FSIZE)[1], resource.getrlimit(resource.RLIMIT_CPU)[1]])}\n"
        "print(json.dumps(told))"
    )
    with pytest.raises(Unfit) as told:
        await Workshop(command=command(code)).look(jpeg())
    names = re.findall(r'"([A-Za-z_]+)"', str(told.value))
    assert set(names) <= {"LC_CTYPE"}
    assert str(MEMORY_BYTES) in str(told.value)


async def test_a_file_in_a_process_of_its_own_is_told_as_in_this_one() -> None:
    raw = jpeg(800, 600, exif=exif(orientation=6))
    told, public, thumb = look(raw)
    looked = await Workshop().look(raw)
    assert looked == Looked(
        kind=Kind.JPEG,
        width=600,
        height=800,
        public=public,
        thumb=thumb,
        taken_at=datetime.fromisoformat(told["taken_at"]),
        position=told["position"],
        peak_kib=looked.peak_kib,
    )
    assert looked.peak_kib > 1_024


def test_the_largest_file_that_is_taken_has_12_mib() -> None:
    start = jpeg()
    assert kind_of(start.ljust(MAX_BYTES, b"\0")) is Kind.JPEG
    with pytest.raises(Unfit, match="larger than 12 MB"):
        kind_of(start.ljust(MAX_BYTES + 1, b"\0"))


def test_no_case_stands_as_a_file_in_the_repository() -> None:
    folder = Path(__file__).parents[2] / "hostile_files"
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".py"}
