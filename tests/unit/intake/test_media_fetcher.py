"""
Pictures behind links, fetched from a real server on this machine. The fetcher's own rules are all in force: names
resolve to public addresses, as the test says, and a road leads from those to the server here.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import httpcore
import pytest

from services.common.contracts.envelope import decode
from services.common.contracts.events import RequestReceived
from services.intake.api import Parts
from services.intake.attachments import fetcher as fetching
from services.intake.attachments.fetcher import Fetcher, NotFetched, SystemResolver
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.service import attachment_id
from services.intake.attachments.store import Link, Use
from services.intake.settings import IntakeSettings
from tests.certificates import contexts
from tests.hostile_files.pictures import jpeg, pdf
from tests.unit.intake.file_fakes import SECRET
from tests.unit.intake.intakes import KEYS, World

PUBLIC, OTHER, INNER = "93.184.216.34", "151.101.1.69", "10.0.0.5"
HOST = "pictures.example.com"
LINK = f"http://{HOST}/a.jpg"
JPEG = jpeg(width=40, height=30)
REPORT = {"api_key": "writer", "service_code": "yol-cukur", "lat": "41.2867", "long": "36.33"}
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
Send = Callable[[asyncio.StreamWriter], Any]


def answered(content: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def sent_on(location: str, status: str = "302 Found") -> bytes:
    return answered(b"elsewhere", status, f"Location: {location}")


class Site:
    """
    A server on this machine: ``pages`` by path, each an answer or what writes one. ``heads``: what it was asked.
    """

    def __init__(self) -> None:
        self.pages: dict[str, bytes | Send] = {"/a.jpg": answered(JPEG)}
        self.heads: list[str] = []
        self.gone = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            page = self.pages.get(head.split(" ")[1], answered(b"secret of the server", "404 Not Found"))
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up, as it may
        finally:
            self.gone.set()
            writer.close()


class Road(httpcore.AsyncNetworkBackend):
    """
    Leads from every public address to the site; ``taken``: which ones. Those in ``closed`` do not answer.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.taken: list[tuple[str, int]] = []
        self.closed: set[str] = set()
        self.network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.taken.append((host, port))
        if host in self.closed:
            raise httpcore.ConnectError(f"{host} is closed")
        return await self.network.connect_tcp("127.0.0.1", self.site.port, timeout=timeout)


class Names:
    """
    Answers of a resolver: for each name one list of addresses after the other, the last again and again.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {HOST: [[PUBLIC]]}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[IPv4Address | IPv6Address]:
        self.asked.append(name)
        if name not in self.answers:
            raise OSError("no such name")
        rows = self.answers[name]
        return [ip_address(row) for row in (rows.pop(0) if len(rows) > 1 else rows[0])]


class Internet:
    """
    A site, the road to it, and names.
    """

    def __init__(self) -> None:
        self.site = Site()
        self.road = Road(self.site)
        self.names = Names()

    def fetcher(self, *, http: bool = True, **options: Any) -> Fetcher:
        return Fetcher(http=http, resolve=self.names, network=self.road, **{"tls": TRUSTS_NOBODY} | options)

    async def refusal(self, link: str = LINK, **options: Any) -> str:
        with pytest.raises(NotFetched) as error:
            await self.fetcher(**options).fetch(link)
        message = str(error.value)
        assert message.startswith("must ")
        assert not [word for word in ("10.0.0.5", "127.0.0.1", "secret", HOST, PUBLIC) if word in message]
        return message


@asynccontextmanager
async def running(tls: ssl.SSLContext | None = None) -> AsyncIterator[Internet]:
    there = Internet()
    server = await asyncio.start_server(there.site.serve, "127.0.0.1", 0, ssl=tls)
    there.site.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    async with running() as there:
        yield there


# --- what is fetched ---


async def test_a_picture_is_fetched_from_the_address_that_was_looked_at(internet: Internet) -> None:
    assert await internet.fetcher().fetch(LINK) == JPEG
    assert (internet.names.asked, internet.road.taken) == ([HOST], [(PUBLIC, 80)])


async def test_the_server_is_told_its_own_name_and_nothing_of_us(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.5:3128")
    internet.site.pages["/b"] = answered(b"", "302 Found", "Location: /a.jpg", "Set-Cookie: a=b")
    assert await internet.fetcher().fetch(f"http://{HOST}/b") == JPEG
    assert internet.road.taken == [(PUBLIC, 80)] * 2, "no proxy was asked"
    for head in internet.site.heads:
        names = {line.partition(":")[0].lower() for line in head.split("\r\n")[1:] if line}
        assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}
        assert f"Host: {HOST}\r\n" in head


async def test_if_one_address_does_not_answer_the_next_is_tried(internet: Internet) -> None:
    internet.names.answers[HOST] = [[OTHER, PUBLIC]]
    internet.road.closed = {OTHER}
    assert await internet.fetcher().fetch(LINK) == JPEG
    assert internet.road.taken == [(OTHER, 80), (PUBLIC, 80)]


async def test_not_more_than_three_addresses_are_tried(internet: Internet) -> None:
    internet.names.answers[HOST] = [[f"151.101.1.{last}" for last in range(1, 9)]]
    internet.road.closed = {f"151.101.1.{last}" for last in range(1, 9)}
    await internet.refusal()
    assert len(internet.road.taken) == 3


async def test_exactly_as_much_as_a_file_may_have_is_fetched(internet: Internet) -> None:
    internet.site.pages["/a.jpg"] = answered(b"a" * MAX_BYTES)
    assert len(await internet.fetcher().fetch(LINK)) == MAX_BYTES


# --- where nobody goes ---


@pytest.mark.parametrize(
    "addresses",
    [
        [INNER],
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.5"],
        ["64:ff9b::a00:5"],
        ["2002:a00:5::1"],
        ["fe80::1%eth0"],
        ["224.0.0.1"],
        [PUBLIC, INNER],
        [INNER, PUBLIC],
        [],
    ],
)
async def test_a_name_with_an_address_that_is_not_public_is_not_visited(
    internet: Internet, addresses: list[str]
) -> None:
    internet.names.answers[HOST] = [addresses]
    await internet.refusal()
    assert internet.road.taken == []


async def test_a_name_that_has_another_address_afterwards_changes_nothing(internet: Internet) -> None:
    internet.names.answers[HOST] = [[PUBLIC], ["127.0.0.1"]]
    assert await internet.fetcher().fetch(LINK) == JPEG
    assert (internet.names.asked, internet.road.taken) == ([HOST], [(PUBLIC, 80)])


async def test_a_redirect_to_the_same_name_is_looked_at_again(internet: Internet) -> None:
    internet.names.answers[HOST] = [[PUBLIC], ["127.0.0.1"]]
    internet.site.pages["/b"] = sent_on("/a.jpg")
    await internet.refusal(f"http://{HOST}/b")
    assert (internet.names.asked, internet.road.taken) == ([HOST, HOST], [(PUBLIC, 80)])


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/a.jpg",
        "http://127.0.0.1:80/a.jpg",
        "//127.0.0.1/a.jpg",
        "http://2130706433/a.jpg",
        "http://[::1]/a.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/a.jpg",
        "http://inner.example.com/a.jpg",
        "http://nowhere.example.com/a.jpg",
        f"http://user:password@{HOST}/a.jpg",
        f"http://{HOST}:8080/a.jpg",
        "file:///etc/passwd",
        "gopher://10.0.0.5:6379/_FLUSHALL",
        "http://[",
        "a b",
        "http://\xe7.example.com/",
        "a" * 3_000,
        "",
    ],
)
@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect"])
async def test_a_redirect_is_followed_no_further_than_a_link(internet: Internet, location: str, status: str) -> None:
    internet.names.answers["inner.example.com"] = [[INNER]]
    internet.site.pages["/b"] = sent_on(location, status)
    internet.site.pages["/"] = sent_on(location, status)
    await internet.refusal(f"http://{HOST}/b")
    assert internet.road.taken == [(PUBLIC, 80)] * len(internet.site.heads), "only the site was asked"
    assert len(internet.site.heads) <= 4


async def test_three_redirects_are_followed_each_looked_at_and_a_fourth_is_not(internet: Internet) -> None:
    internet.names.answers["cdn.example.com"] = [[OTHER]]
    internet.site.pages |= {
        "/4": sent_on("/3"),
        "/3": sent_on("http://cdn.example.com/2", "308 Permanent Redirect"),
        "/2": sent_on("/1", "303 See Other"),
        "/1": sent_on("/a.jpg"),
    }
    assert await internet.fetcher().fetch(f"http://{HOST}/3") == JPEG
    assert internet.road.taken == [(PUBLIC, 80), (OTHER, 80), (OTHER, 80), (OTHER, 80)]
    assert "3 redirects" in await internet.refusal(f"http://{HOST}/4")
    internet.site.pages["/5"] = sent_on("/5")
    await internet.refusal(f"http://{HOST}/5")
    assert len(internet.site.heads) == 12


async def test_without_leave_for_http_neither_a_link_nor_a_redirect_goes_there(internet: Internet) -> None:
    assert "https://" in await internet.refusal(http=False)
    assert (internet.names.asked, internet.road.taken) == ([], [])


async def test_every_failure_on_the_way_sounds_the_same(internet: Internet) -> None:
    internet.names.answers |= {"inner.example.com": [[INNER]], "closed.example.com": [[OTHER]]}
    internet.road.closed = {OTHER}
    internet.site.pages["/broken"] = b"SSH-2.0-OpenSSH_9.6 secret\r\n"
    internet.site.pages["/inner"] = sent_on("http://10.0.0.5/")
    links = [
        "http://inner.example.com/",
        "http://closed.example.com/",
        "http://nowhere.example.com/",
        *(f"http://{HOST}/{path}" for path in ("absent", "broken", "inner")),
    ]
    assert len({await internet.refusal(link) for link in links}) == 1


# --- what goes on for too long, or is not what it says ---


async def never(writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    await asyncio.Event().wait()


async def no_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n")
    while True:
        writer.write(b"\xff\xd8\xff" + b"a" * 65_536)
        await writer.drain()


async def no_end_in_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
        await writer.drain()


async def no_end_of_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: " + b"a" * 8_000 + b"\r\n")
        await writer.drain()


async def drop_by_drop(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)  # so slow is the server: no wait for a condition


@pytest.mark.parametrize("page", [never, drop_by_drop])
async def test_a_slow_server_is_left_when_the_time_is_over(internet: Internet, page: Send) -> None:
    internet.site.pages["/a.jpg"] = page
    async with asyncio.timeout(20):
        await internet.refusal(seconds=0.3)


async def test_the_time_is_one_for_all_redirects_and_names(internet: Internet) -> None:
    async def slow_name(name: str) -> Sequence[IPv4Address]:
        await asyncio.sleep(0.2)  # so slow is the resolver: three such are over the time, one or two are not
        return [IPv4Address(PUBLIC)]

    internet.site.pages["/b"] = sent_on("/a.jpg")
    internet.site.pages["/c"] = sent_on("/b")
    with pytest.raises(NotFetched):
        await Fetcher(http=True, resolve=slow_name, network=internet.road, seconds=0.5).fetch(f"http://{HOST}/c")
    assert not [head for head in internet.site.heads if "GET /a.jpg" in head]


@pytest.mark.parametrize("page", [no_end, no_end_in_chunks, no_end_of_headers])
async def test_what_does_not_end_is_left_at_the_limit_and_the_line_is_closed(internet: Internet, page: Send) -> None:
    internet.site.pages["/a.jpg"] = page
    await internet.refusal(seconds=60.0)
    async with asyncio.timeout(20):
        await internet.site.gone.wait()


@pytest.mark.parametrize(
    "page",
    [
        answered(b"a" * (MAX_BYTES + 1)),
        answered(JPEG, "206 Partial Content"),
        answered(b"", "204 No Content"),
        answered(b"secret", "401 Unauthorized", "WWW-Authenticate: Basic"),
        answered(b"secret", "500 Internal Server Error"),
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"secret",
        b"",
    ],
)
async def test_another_answer_than_a_whole_file_is_none(internet: Internet, page: bytes) -> None:
    internet.site.pages["/a.jpg"] = page
    await internet.refusal()


# --- https ---


async def test_over_https_the_certificate_must_be_the_names_and_trusted(tmp_path: Path) -> None:
    server, client = contexts(tmp_path, HOST)
    async with running(server) as internet:
        internet.names.answers["other.example.com"] = [[PUBLIC]]
        assert await internet.fetcher(http=False, tls=client).fetch(f"https://{HOST}/a.jpg") == JPEG
        assert internet.road.taken == [(PUBLIC, 443)]
        await internet.refusal("https://other.example.com/a.jpg", tls=client)
        await internet.refusal(f"https://{HOST}/a.jpg", tls=None)
        internet.site.pages["/b"] = sent_on(LINK)
        await internet.refusal(f"https://{HOST}/b", http=False, tls=client)
    assert len(internet.site.heads) == 2


# --- how the machine resolves ---


async def test_a_name_is_asked_for_as_a_whole_one_and_each_address_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def system(name: str, *_: object, **__: object) -> list[Any]:
        asked.append(name)
        return [(2, 1, 6, "", ("8.8.8.8", 0)), (2, 1, 6, "", ("8.8.8.8", 0)), (10, 1, 6, "", ("fe80::1%2", 0, 0, 2))]

    monkeypatch.setattr(fetching.socket, "getaddrinfo", system)
    assert await SystemResolver()("kafka.example.com") == [ip_address("8.8.8.8"), ip_address("fe80::1%2")]
    assert asked == ["kafka.example.com."], "with its dot no search domain of ours is tried"


# --- with a report ---


def number_of(raw: bytes) -> str:
    return attachment_id(SECRET, KEYS["writer"].name, raw)


class Fetching(World):
    """
    An intake that fetches ``media_url``.
    """

    fetcher: Fetcher | None = None

    @asynccontextmanager
    async def parts(self) -> AsyncIterator[Parts]:
        async with super().parts() as parts:
            yield replace(parts, open311=replace(parts.open311, fetcher=self.fetcher))

    async def report(self, form: str = "json", files: Any = None, **fields: str) -> Any:
        return await self.http.post(f"/open311/v2/requests.{form}", data=REPORT | fields, files=files)

    def received(self) -> list[RequestReceived]:
        rows = [row for row in self.publisher.records if row.topic == "requests.received"]
        found = [decode(row.topic, row.key, row.value, row.headers).data for row in rows]
        return [row for row in found if isinstance(row, RequestReceived)]


@pytest.fixture
async def world(internet: Internet, tmp_path: Path) -> AsyncIterator[Fetching]:
    there = Fetching(tmp_path)
    there.fetcher = internet.fetcher()
    async with there.running():
        del there.http.headers["X-API-Key"]
        yield there


def test_nothing_is_fetched_unless_it_is_set() -> None:
    settings = IntakeSettings(id_secret="0123456789abcdef")  # type: ignore[arg-type]
    assert (settings.fetch_media, settings.fetch_media_http) == (False, False)


async def test_the_picture_behind_a_report_is_kept_with_it_before_it_is_taken(
    world: Fetching, internet: Internet
) -> None:
    answer = await world.report(media_url=LINK)
    assert answer.status_code == 200, answer.text
    number = number_of(JPEG)
    [received] = world.received()
    assert received.attachments == (number,)
    assert world.shelf.known[number].links == (Link(received.request_id, Use.SENT),)


async def test_files_come_before_the_one_behind_the_link_and_ten_are_all(world: Fetching, internet: Internet) -> None:
    own = jpeg(width=41, height=30)
    answer = await world.report(media_url=LINK, files=[("media", ("a.jpg", own))])
    assert answer.status_code == 200, answer.text
    [received] = world.received()
    assert received.attachments == tuple(number_of(raw) for raw in (own, JPEG))
    internet.site.heads.clear()
    refused = await world.report(media_url=LINK, files=[("media", (f"{n}.jpg", own)) for n in range(10)])
    assert (refused.status_code, internet.site.heads) == (400, [])
    assert "media_url" in refused.json()[0]["description"]


@pytest.mark.parametrize(
    "content",
    [
        b"<html>secret</html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>secret</svg>",
        b'{"AccessKeyId": "secret"}',
        JPEG[:200],
        b"\xff\xd8\xffsecret",
        pdf(),
        b"",
    ],
)
async def test_what_is_no_picture_is_a_400_that_tells_nothing_of_it(
    world: Fetching, internet: Internet, content: bytes
) -> None:
    internet.site.pages["/a.jpg"] = answered(content, "200 OK", "Content-Type: image/jpeg")
    answer = await world.report(media_url=LINK)
    [row] = answer.json()
    assert (answer.status_code, row["code"]) == (400, 400)
    assert row["description"] == (
        f"media_url must lead to a whole picture that is JPEG, PNG, WebP or GIF and has at most {MAX_BYTES} bytes."
    )
    assert world.received() == []


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("link", ["http://127.0.0.1/a.jpg", "http://inner.example.com/a.jpg", f"http://{HOST}/absent"])
async def test_what_cannot_be_fetched_is_a_400_in_open311s_shape(
    world: Fetching, internet: Internet, form: str, link: str
) -> None:
    internet.names.answers["inner.example.com"] = [[INNER]]
    answer = await world.report(form, media_url=link)
    assert answer.status_code == 400
    assert "media_url must " in answer.text
    assert ("<errors><error><code>400</code>" in answer.text) == (form == "xml")
    assert not [word for word in ("127.0.0.1", INNER, "secret", "inner", "absent") if word in answer.text]
    assert world.received() == []


async def test_a_report_that_is_not_taken_anyway_fetches_nothing(world: Fetching, internet: Internet) -> None:
    for fields in ({"lat": "x"}, {"api_key": "nobody"}, {"service_code": "none"}, {"media_url": "ftp://example.com"}):
        answer = await world.report(**{"media_url": LINK} | fields)
        assert answer.status_code in (400, 403, 404)
    assert (internet.names.asked, internet.site.heads) == ([], [])


async def test_without_a_fetcher_the_link_is_kept_and_nobody_follows_it(internet: Internet, tmp_path: Path) -> None:
    world = Fetching(tmp_path)
    async with world.running():
        assert (await world.report(media_url=LINK)).status_code == 200
        assert (await world.report(media_url="http://127.0.0.1/a.jpg")).status_code == 200
        kept = world.received()
    assert [row.attributes["media_url"] for row in kept] == [LINK, "http://127.0.0.1/a.jpg"]
    assert (internet.site.heads, world.shelf.known) == ([], {})
