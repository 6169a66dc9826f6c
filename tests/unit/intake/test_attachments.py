"""
Attachments over HTTP, with MongoDB in memory and real processes that look at the files: who may send, see and name
them.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from services.common.contracts.envelope import decode
from services.common.contracts.events import Event, RequestReceived, UpdateSubmitted
from services.common.kit.auth import Caller, key_hash
from services.common.kit.mongo import UNAVAILABLE
from services.intake.attachments import api, service
from services.intake.attachments.kinds import Kind
from services.intake.attachments.scanner import ClamAV, NoScanner, ScannerAway, Verdict
from services.intake.attachments.service import Later, attachment_id, may_see, sweep_for_ever
from services.intake.attachments.store import Attachment, Link, Size, Use
from services.intake.domain import Refused
from services.intake.keys import StoredKey
from tests.hostile_files.pictures import POSITION, SECRET, exif, gif, jpeg, pdf, png
from tests.people import SignedIn, signed_in
from tests.unit.intake.file_fakes import FakeShelf, attachments_of
from tests.unit.intake.intakes import NEW, World, assert_problem

PATH = "/v1/attachments"
ZABITA = "zabita"
OPERATOR = signed_in("operator")
CLERK = signed_in("department", departments=(ZABITA,))
OTHER_CLERK = signed_in("department", departments=("fen-isleri",), person_id="u_00000000000000f1")
MANAGER = signed_in("manager")
ADMIN = signed_in("admin")
WRITER = Caller("web-form", frozenset({"requests:write"}), frozenset())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    for name, scopes in {"reader": {"texts:read"}, "crises": {"crises:write"}, "ours": {"requests:write"}}.items():
        made.store.stored[key_hash(name)] = StoredKey(key_hash(name), name, frozenset(scopes), frozenset())
    async with made.running() as running:
        del running.http.headers["X-API-Key"]
        yield running


def key(name: str) -> dict[str, str]:
    return {"X-API-Key": name}


async def send(
    world: World, raw: bytes, who: dict[str, str], name: str = "a.jpg", kind: str = "image/jpeg"
) -> httpx.Response:
    return await world.http.post(PATH, files={"file": (name, raw, kind)}, headers=who)


async def sent(world: World, raw: bytes, who: dict[str, str]) -> str:
    answer = await send(world, raw, who)
    assert answer.status_code == 201, answer.text
    number: str = answer.json()["attachment_id"]
    return number


# --- sending ---


async def test_a_photo_is_kept_and_its_place_and_time_are_told_to_its_sender_alone(world: World) -> None:
    raw = jpeg(400, 300, exif=exif(orientation=6))
    answer = await send(world, raw, key("writer"))
    assert answer.status_code == 201
    number = answer.json()["attachment_id"]
    assert answer.json() == {
        "attachment_id": number,
        "media_type": "image/jpeg",
        "bytes": len(raw),
        "width": 300,
        "height": 400,
        "taken_at": "2026-06-01T12:00:00+03:00",
        "position": {"lat": POSITION[0], "lon": POSITION[1]},
    }
    assert world.shelf.forms[number][Size.ORIGINAL] == raw
    assert SECRET not in world.shelf.forms[number][Size.PUBLIC] + world.shelf.forms[number][Size.THUMB]
    assert "36.33" not in repr(world.shelf.known[number])


async def test_the_same_file_of_the_same_caller_is_one_file_and_nobody_elses(world: World) -> None:
    raw = jpeg()
    first = await sent(world, raw, key("writer"))
    assert await sent(world, raw, key("writer")) == first
    numbers = {first, await sent(world, raw, key("ours")), await sent(world, raw, OPERATOR.bearer)}
    numbers.add(await sent(world, png(), key("writer")))
    assert set(world.shelf.known) == numbers
    assert len(numbers) == 4


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ({}, 401),
        (key("nobody"), 401),
        (key("all"), 201),
        (key("writer"), 201),
        (key("fen"), 201),
        (key("reader"), 403),
        (key("crises"), 403),
        (OPERATOR.bearer, 201),
        (OPERATOR.headers, 201),
        (CLERK.bearer, 201),
        (MANAGER.bearer, 403),
        (ADMIN.bearer, 403),
        ({"Cookie": OPERATOR.headers["Cookie"]}, 403),
        (OPERATOR.headers | {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Authorization": "Bearer nonsense"}, 401),
    ],
)
async def test_files_are_taken_of_those_who_may_write(world: World, who: dict[str, str], status: int) -> None:
    answer = await send(world, jpeg(), who)
    assert answer.status_code == status, answer.text
    assert len(world.shelf.known) == (1 if status == 201 else 0)


async def test_neither_the_name_nor_the_declared_type_counts(world: World) -> None:
    raw = gif()
    for name, kind in (("../../etc/passwd", "text/html"), ("a.svg\r\nX: y", "image/svg+xml"), ("ç.exe", "nonsense")):
        answer = await send(world, raw, key("writer"), name, kind)
        assert answer.json()["media_type"] == "image/gif"


async def test_what_is_no_such_file_is_refused_by_name_and_not_kept(world: World) -> None:
    for raw, words in ((b"<svg/>", "SVG"), (b"PK\x03\x04", "archive"), (jpeg()[:300], "damaged"), (b"", "is empty")):
        answer = await send(world, raw, key("writer"))
        assert_problem(answer, 422, "file")
        assert words in answer.json()["errors"][0]["message"]
    assert not world.shelf.known


@pytest.mark.parametrize(
    ("request_parts", "status"),
    [
        ({"json": {}}, 415),
        ({"content": b"", "headers": {"Content-Type": "image/jpeg"}}, 415),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data"}}, 422),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422),
        ({"content": b"--x\r\n\r\n--x--", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 422),
        ({"files": {"photo": ("a.jpg", jpeg())}}, 422),
        ({"files": [("file", ("a.jpg", jpeg())), ("file", ("b.jpg", jpeg()))]}, 422),
        ({"files": {"file": ("a.jpg", jpeg())}, "data": {"note": "x"}}, 422),
        ({"files": {"file": (None, b"text alone")}}, 422),
        ({"files": {"file": ("a.jpg", jpeg())}, "data": {"_csrf": "x"}}, 201),
    ],
)
async def test_the_body_is_one_file_in_multipart(world: World, request_parts: dict[str, Any], status: int) -> None:
    headers = key("writer") | request_parts.pop("headers", {})
    answer = await world.http.post(PATH, headers=headers, **request_parts)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert_problem(answer, 422, "file")


async def test_twelve_megabytes_are_taken_here_more_is_413_and_elsewhere_the_limit_is_as_it_was(world: World) -> None:
    large = jpeg().ljust(12 * 1_048_576, b"\0")
    assert (await send(world, large, key("writer"))).status_code == 201
    assert_problem(await send(world, large + b"\0" * 20_000, key("writer")), 413)

    async def pieces() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(13):
            yield b"\0" * 1_048_576

    headers = key("writer") | {"Content-Type": "multipart/form-data; boundary=x"}
    assert_problem(await world.http.post(PATH, content=pieces(), headers=headers), 413)
    assert_problem(await world.http.post(f"{PATH}/more", content=b" " * 300_000, headers=headers), 413)


async def test_a_file_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SECONDS_TO_SEND", 0.05)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        await asyncio.Event().wait()

    headers = key("writer") | {"Content-Type": "multipart/form-data; boundary=x"}
    assert_problem(await world.http.post(PATH, content=pieces(), headers=headers), 408)


async def test_places_are_bounded_for_all_and_for_each_and_free_again_afterwards() -> None:
    attachments = attachments_of(FakeShelf())
    with ExitStack() as held:
        for _ in range(8):
            held.enter_context(attachments.place("one"))
        with pytest.raises(Later), attachments.place("one"):
            pass
        for _ in range(8):
            held.enter_context(attachments.place("two"))
        with pytest.raises(Later), attachments.place("three"):
            pass
    with attachments.place("one"):
        assert attachments._under_way == {"one": 1}
    assert not attachments._under_way


async def test_where_no_place_is_free_it_is_to_be_sent_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_AT_ONCE", 0)
    answer = await send(world, jpeg(), key("writer"))
    assert_problem(answer, 503)
    assert answer.headers["Retry-After"]


async def test_while_mongodb_is_away_files_are_503_and_requests_without_files_are_taken(world: World) -> None:
    number = await sent(world, jpeg(), key("writer"))
    world.shelf.away = True
    for answer in (
        await send(world, png(), key("writer")),
        await world.http.get(f"{PATH}/{number}", headers=OPERATOR.bearer),
        await world.post(json=NEW | {"attachments": [number]}, headers=key("writer")),
    ):
        assert_problem(answer, 503)
        assert answer.headers["Retry-After"]
    assert (await world.post(headers=key("writer"))).status_code == 202


# --- the scanner ---


class Stub:
    """
    A scanner with one answer.
    """

    def __init__(self, found: str | None = None, *, away: bool = False) -> None:
        self.found = found
        self.away = away
        self.seen: list[bytes] = []

    async def scan(self, raw: bytes) -> Verdict:
        self.seen.append(raw)
        if self.away:
            raise ScannerAway
        return Verdict(self.found)


async def test_what_the_scanner_finds_is_refused_and_what_it_cannot_see_is_to_be_sent_again() -> None:
    shelf, raw = FakeShelf(), jpeg()
    clean, infected, away = Stub(), Stub("Eicar-Test-Signature"), Stub(away=True)
    with pytest.raises(Refused, match="harmful"):
        await attachments_of(shelf, scanner=infected).take(raw, WRITER)
    with pytest.raises(Later):
        await attachments_of(shelf, scanner=away).take(raw, WRITER)
    assert not shelf.known
    await attachments_of(shelf, scanner=clean).take(raw, WRITER)
    assert infected.seen == away.seen == clean.seen == [raw]
    assert len(shelf.known) == 1
    assert await NoScanner().scan(raw) == Verdict()


@asynccontextmanager
async def clamd(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    """
    A stand-in for clamd that speaks INSTREAM as clamd(8) has it. No answer: it hangs up.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack(">I", await reader.readexactly(4))[0]:
            content += await reader.readexactly(size)
        said = answer(content)
        if said is not None:
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"stream: OK\0", Verdict()),
        (b"stream: Eicar-Test-Signature FOUND\0", Verdict("Eicar-Test-Signature")),
        (b"INSTREAM size limit exceeded. ERROR\0", None),
        (b"stream: lstat() failed: ERROR\0", None),
        (b"stream: OK", None),
        (b"", None),
        (None, None),
    ],
)
async def test_clamd_is_believed_when_it_says_ok_or_found_and_nothing_else(
    said: bytes | None, verdict: Verdict | None
) -> None:
    raw, seen = jpeg(500, 500, quality=95) + b"\0" * 200_000, []

    def answer(content: bytes) -> bytes | None:
        seen.append(content)
        return said

    async with clamd(answer) as port:
        scan: Awaitable[Verdict] = ClamAV("127.0.0.1", port).scan(raw)
        if verdict is None:
            with pytest.raises(ScannerAway):
                await scan
        else:
            assert await scan == verdict
    assert seen == [raw]


async def test_a_clamd_that_is_not_there_or_says_nothing_is_away() -> None:
    async with clamd(lambda _: None) as port:
        pass
    with pytest.raises(ScannerAway):
        await ClamAV("127.0.0.1", port).scan(b"a")
    hold = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        with pytest.raises(ScannerAway):
            await ClamAV("127.0.0.1", server.sockets[0].getsockname()[1], seconds=0.05).scan(b"a")
        hold.set()


# --- seeing ---


UNLINKED, ITS, PART, GONE = "unlinked", "held", "held in part", "held by nobody yet"


@pytest.mark.parametrize("state", [UNLINKED, ITS, PART, GONE])
@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ({}, None),
        (key("all"), {UNLINKED, ITS, PART, GONE}),
        (key("reader"), {UNLINKED, ITS, PART, GONE}),
        (key("writer"), set()),
        (key("ours"), set()),
        (key("fen"), set()),
        (OPERATOR.bearer, {UNLINKED, ITS, PART, GONE}),
        (OPERATOR.headers, {UNLINKED, ITS, PART, GONE}),
        (MANAGER.bearer, {UNLINKED, ITS, PART, GONE}),
        (CLERK.bearer, {ITS, PART}),
        (CLERK.headers, {ITS, PART}),
        (OTHER_CLERK.bearer, {PART}),
        (signed_in("department", departments=("temizlik-isleri",)).bearer, set()),
        (signed_in("department").bearer, set()),
        (ADMIN.bearer, set()),
    ],
)
async def test_who_sees_a_file_that_an_adapter_sent(
    world: World, who: dict[str, str], sees: set[str] | None, state: str
) -> None:
    number = await sent(world, jpeg(), key("writer"))
    if state != UNLINKED:
        made = await world.post(json=NEW | {"attachments": [number]}, headers=key("writer"))
        request_id = made.json()["request_id"]
        holders = {ITS: {ZABITA}, PART: {ZABITA, "fen-isleri"}, GONE: set[str]()}[state]
        world.shelf.holders[request_id] = frozenset(holders)
    for size in ("", "?size=thumb", "?size=public", "?size=original"):
        answer = await world.http.get(f"{PATH}/{number}{size}", headers=who)
        assert answer.status_code == (401 if sees is None else 200 if state in sees else 404), answer.text


async def test_a_clerk_sees_their_own_file_until_it_belongs_to_a_request_of_others(world: World) -> None:
    number = await sent(world, jpeg(), CLERK.bearer)

    async def status(who: SignedIn) -> int:
        return (await world.http.get(f"{PATH}/{number}", headers=who.bearer)).status_code

    assert [await status(who) for who in (CLERK, OTHER_CLERK)] == [200, 404]
    world.shelf.known[number] = replace(world.shelf.known[number], links=(Link("7XK29MQ4T3BDA.2", Use.SHOWN),))
    world.shelf.holders["7XK29MQ4T3BDA"] = frozenset({"fen-isleri"})
    assert [await status(who) for who in (CLERK, OTHER_CLERK)] == [404, 200]


def test_a_file_of_two_requests_is_seen_by_the_holders_of_either_and_its_sender_is_no_reader() -> None:
    links = (Link("A", Use.SENT), Link("B", Use.SENT))
    file = Attachment("a_", "web-form", Kind.JPEG, 1, 1, 1, datetime(2026, 6, 1, tzinfo=UTC), links)
    assert may_see(CLERK.person.caller, file, {"fen-isleri", ZABITA})
    assert not may_see(CLERK.person.caller, file, {"fen-isleri"})
    assert not may_see(CLERK.person.caller, file, set())
    assert not may_see(WRITER, replace(file, links=()), set())


async def test_copies_are_shown_in_the_page_and_the_original_is_a_download(world: World) -> None:
    raw = png(3_000, 1_000, exif=exif())
    number = await sent(world, raw, key("writer"))
    public, thumb, original = [
        await world.http.get(f"{PATH}/{number}?size={size}", headers=OPERATOR.bearer)
        for size in ("public", "thumb", "original")
    ]
    assert (await world.http.get(f"{PATH}/{number}", headers=OPERATOR.bearer)).content == public.content
    assert Image.open(BytesIO(public.content)).size == (2_048, 683)
    assert Image.open(BytesIO(thumb.content)).size == (320, 107)
    assert original.content == raw
    assert [answer.headers["content-type"] for answer in (public, thumb, original)] == ["image/jpeg"] * 2 + [
        "image/png"
    ]
    assert public.headers["content-disposition"] == f'inline; filename="{number}.jpg"'
    assert original.headers["content-disposition"] == f'attachment; filename="{number}.png"'
    for answer in (public, thumb, original):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["cross-origin-resource-policy"] == "same-site"


async def test_what_a_browser_has_already_is_not_sent_again_to_those_who_may_see_it(world: World) -> None:
    number = await sent(world, jpeg(), key("writer"))
    etags = {
        size: (await world.http.get(f"{PATH}/{number}?size={size}", headers=OPERATOR.bearer)).headers["etag"]
        for size in Size
    }
    assert len(set(etags.values())) == 3
    has = {"If-None-Match": etags[Size.PUBLIC]}
    answer = await world.http.get(f"{PATH}/{number}", headers=OPERATOR.bearer | has)
    assert (answer.status_code, answer.content) == (304, b"")
    assert (await world.http.get(f"{PATH}/{number}?size=thumb", headers=OPERATOR.bearer | has)).status_code == 200
    assert (await world.http.get(f"{PATH}/{number}", headers=CLERK.bearer | has)).status_code == 404


async def test_a_pdf_is_a_download_without_copies(world: World) -> None:
    number = await sent(world, pdf(), key("writer"))
    answer = await world.http.get(f"{PATH}/{number}", headers=OPERATOR.bearer)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{number}.pdf"'
    assert answer.content == pdf()
    for size in ("thumb", "public"):
        assert_problem(await world.http.get(f"{PATH}/{number}?size={size}", headers=OPERATOR.bearer), 404)


async def test_unknown_and_ill_formed_numbers_are_404_and_sizes_are_named(world: World) -> None:
    for number in ("a_" + "0" * 32, "a_0", "x", "a_" + "G" * 32, "a_" + "0" * 33):
        assert_problem(await world.http.get(f"{PATH}/{number}", headers=OPERATOR.bearer), 404)
    assert_problem(await world.http.get(f"{PATH}/a_{'0' * 32}?size=huge", headers=OPERATOR.bearer), 422, "size")


# --- naming ---


def events(world: World) -> list[Event]:
    return [decode(row.topic, row.key, row.value, row.headers).data for row in world.publisher.records]


def received(world: World) -> list[RequestReceived]:
    return [event for event in events(world) if isinstance(event, RequestReceived)]


async def test_a_request_names_its_files_and_they_belong_to_it(world: World) -> None:
    first, second = await sent(world, jpeg(), key("writer")), await sent(world, pdf(), key("writer"))
    answer = await world.post(json=NEW | {"attachments": [first, second, first]}, headers=key("writer"))
    assert answer.status_code == 202
    assert received(world)[0].attachments == (first, second)
    link = (Link(answer.json()["request_id"], Use.SENT),)
    assert world.shelf.known[first].links == world.shelf.known[second].links == link


async def test_files_that_are_not_the_callers_are_named_by_their_place(world: World) -> None:
    own, others = await sent(world, jpeg(), key("writer")), await sent(world, jpeg(), OPERATOR.bearer)
    for wrong in (others, "a_" + "0" * 32):
        answer = await world.post(json=NEW | {"attachments": [own, wrong]}, headers=key("writer"))
        assert_problem(answer, 422, "attachments.1")
    assert_problem(
        await world.post(json=NEW | {"attachments": ["https://a/b.jpg"]}, headers=key("writer")), 422, "attachments.0"
    )
    many = [f"a_{index:032x}" for index in range(11)]
    assert_problem(await world.post(json=NEW | {"attachments": many}, headers=key("writer")), 422, "attachments")
    assert world.shelf.known[own].links == ()
    assert not received(world)


async def test_a_repeat_with_the_same_files_is_the_same_request_and_with_others_409(world: World) -> None:
    first, second = await sent(world, jpeg(), key("writer")), await sent(world, png(), key("writer"))
    body = NEW | {"external_id": "1", "attachments": [first]}
    taken = await world.post(json=body, headers=key("writer"))
    del world.shelf.known[first]
    again = await world.post(json=body, headers=key("writer"))
    assert again.json() == taken.json()
    assert_problem(await world.post(json=body | {"attachments": [second]}, headers=key("writer")), 409)
    assert_problem(await world.post(json=NEW | {"external_id": "1"}, headers=key("writer")), 409)
    assert len(received(world)) == 1


async def test_an_update_shows_photos_of_whoever_sends_it_and_no_pdf(world: World) -> None:
    request_id = (await world.post(headers=key("writer"))).json()["request_id"]
    photo, paper = await sent(world, jpeg(), CLERK.bearer), await sent(world, pdf(), CLERK.bearer)
    others = await sent(world, jpeg(), OTHER_CLERK.bearer)
    path, start = f"/v1/requests/{request_id}/updates", {"action": "start"}
    assert_problem(await world.post(path, start | {"photos": [paper]}, headers=CLERK.bearer), 422, "photos.0")
    assert_problem(await world.post(path, start | {"photos": [photo, others]}, headers=CLERK.bearer), 422, "photos.1")
    assert (await world.post(path, start | {"photos": [photo]}, headers=CLERK.bearer)).status_code == 202
    (update,) = [event for event in events(world) if isinstance(event, UpdateSubmitted)]
    assert update.photos == (photo,)
    assert world.shelf.known[photo].links == (Link(request_id, Use.SHOWN),)
    assert world.shelf.known[paper].links == ()


async def test_a_file_deleted_between_the_check_and_the_tie_is_not_lost_silently() -> None:
    shelf = FakeShelf()
    attachments = attachments_of(shelf)
    number = (await attachments.take(jpeg(), WRITER)).attachment.id
    link = shelf.link

    async def gone(*args: Any) -> bool:
        del shelf.known[number]
        return await link(*args)

    shelf.link = gone  # type: ignore[method-assign]
    with pytest.raises(Refused, match="deleted just now"):
        await attachments.tie([number], WRITER, "7XK29MQ4T3BDA", Use.SENT)


async def test_one_file_belongs_to_a_hundred_requests_at_most() -> None:
    shelf = FakeShelf()
    attachments = attachments_of(shelf)
    number = (await attachments.take(jpeg(), WRITER)).attachment.id
    for index in range(100):
        await attachments.tie([number], WRITER, f"7XK29MQ4T3BDA.{index}", Use.SENT)
    with pytest.raises(Refused, match="100 requests already"):
        await attachments.tie([number], WRITER, "7XK29MQ4T3BDA", Use.SENT)
    assert len(shelf.known[number].links) == 100


# --- the sweep ---


async def test_a_file_sent_again_has_its_day_anew_and_the_sweep_outlives_mongodb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_BETWEEN_SWEEPS", 0.0)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    shelf = FakeShelf()
    for raw, at in ((jpeg(), now), (png(), now), (jpeg(), now + timedelta(hours=20))):
        await attachments_of(shelf, clock=lambda at=at: at).take(raw, WRITER)
    again, once = (attachment_id(b"0123456789abcdef", "web-form", raw) for raw in (jpeg(), png()))
    sweep, swept, tries = shelf.sweep, asyncio.Event(), 0

    async def sometimes(before: datetime) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise UNAVAILABLE[0]("away")
        found = await sweep(before)
        swept.set()
        return found

    shelf.sweep = sometimes  # type: ignore[method-assign]
    task = asyncio.create_task(sweep_for_ever(shelf, lambda: now + timedelta(hours=25), UNAVAILABLE))
    async with asyncio.timeout(10):
        await swept.wait()
    task.cancel()
    assert set(shelf.known) == {again}
    assert once not in shelf.forms


def test_the_number_of_a_file_tells_nothing_of_it_without_the_secret() -> None:
    numbers = {
        attachment_id(secret, owner, raw)
        for secret in (b"a" * 16, b"b" * 16)
        for owner in ("web", "person:u_1")
        for raw in (b"1", b"2")
    }
    assert len(numbers) == 8
