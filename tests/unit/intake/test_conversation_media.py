"""
Files from WhatsApp's Graph API: what is fetched, with what, from whom, and what is not.
"""

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.store import Use
from services.intake.conversations.media import Files, Graph, NotNow, Unobtainable
from services.intake.conversations.model import File, Tie
from tests.hostile_files.pictures import jpeg
from tests.standins.faults import Fault
from tests.standins.whatsapp import TOKEN as STAND_INS_TOKEN
from tests.standins.whatsapp import stand_in_whatsapp
from tests.unit.intake.file_fakes import FakeShelf, attachments_of

URL = "https://graph.facebook.com/v25.0"
LINK = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=77&ext=1"
TOKEN = "a token of the tests"
RAW = b"what was sent"
Answer = Callable[[httpx.Request], httpx.Response]


def graph(answer: Answer, url: str = URL) -> Graph:
    return Graph(httpx.AsyncClient(transport=httpx.MockTransport(answer)), url, TOKEN)


def meta(link: str = LINK, raw: bytes = RAW, **fields: Any) -> tuple[Answer, list[httpx.Request]]:
    """
    Graph as it documents itself: a link for a media id, the file behind the link.
    """
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if str(request.url).startswith(URL):
            return httpx.Response(200, json={"url": link, "mime_type": "image/jpeg", "id": "77"} | fields)
        return httpx.Response(200, content=raw)

    return answer, asked


@pytest.mark.parametrize("told", [None, sha256(RAW).hexdigest(), base64.b64encode(sha256(RAW).digest()).decode()])
async def test_the_file_behind_a_media_id_is_fetched_with_our_token(told: str | None) -> None:
    answer, asked = meta()
    assert await graph(answer).fetch("77", told) == RAW
    assert [str(request.url) for request in asked] == [f"{URL}/77", LINK]
    assert {request.headers["Authorization"] for request in asked} == {f"Bearer {TOKEN}"}


async def test_a_media_id_is_no_path() -> None:
    answer, asked = meta()
    await graph(answer).fetch("../me?x=1", None)
    assert asked[0].url.raw_path == b"/v25.0/..%2Fme%3Fx%3D1"


@pytest.mark.parametrize(
    "link",
    [
        "http://lookaside.fbsbx.com/x",
        "https://example.org/x",
        "https://lookaside.fbsbx.com.example.org/x",
        "https://fbsbx.com@example.org/x",
        "https://user@lookaside.fbsbx.com/x",
        "https://lookaside.fbsbx.com:8443/x",
        "https://evilfbsbx.com/x",
        "http://127.0.0.1:8000/x",
        "https://[::1/x",
        "file:///etc/passwd",
    ],
)
async def test_our_token_goes_to_meta_alone(link: str) -> None:
    answer, asked = meta(link)
    with pytest.raises(Unobtainable):
        await graph(answer).fetch("77", None)
    assert len(asked) == 1


async def test_a_stand_in_may_keep_its_files_itself() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v25.0/77":
            return httpx.Response(200, json={"url": "http://127.0.0.1:9999/files/77"})
        return httpx.Response(200, content=RAW)

    assert await graph(answer, "http://127.0.0.1:9999/v25.0").fetch("77", None) == RAW


async def test_a_redirect_is_not_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(URL):
            return httpx.Response(200, json={"url": LINK})
        return httpx.Response(302, headers={"Location": "https://example.org/"})

    with pytest.raises(NotNow):
        await graph(answer).fetch("77", None)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Unobtainable), (404, Unobtainable), (401, NotNow), (429, NotNow), (500, NotNow), (503, NotNow)],
)
async def test_what_may_pass_is_tried_again_and_what_is_gone_is_not(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await graph(lambda _: httpx.Response(status)).fetch("77", None)


async def test_a_connection_that_fails_is_tried_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    with pytest.raises(NotNow):
        await graph(answer).fetch("77", None)


async def test_a_file_that_arrived_torn_is_tried_again() -> None:
    answer, _ = meta(raw=RAW[:-1])
    with pytest.raises(NotNow):
        await graph(answer).fetch("77", sha256(RAW).hexdigest())


async def test_a_file_that_is_too_large_is_given_up() -> None:
    answer, _ = meta(raw=b"x" * (MAX_BYTES + 1))
    with pytest.raises(Unobtainable):
        await graph(answer).fetch("77", None)


async def test_a_stand_in_of_graph_and_we_understand_each_other() -> None:
    async with stand_in_whatsapp() as meta, httpx.AsyncClient() as http:
        told = meta.add_media(RAW, "image/jpeg")
        graph = Graph(http, meta.url, STAND_INS_TOKEN)
        assert await graph.fetch(told["id"], told["sha256"]) == RAW
        meta.media_faults.then(Fault.AWAY)
        with pytest.raises(NotNow):
            await graph.fetch(told["id"], told["sha256"])
        with pytest.raises(Unobtainable):
            await graph.fetch("1", None)


# --- kept as attachments ---


class Held:
    """
    A provider that has one file.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def fetch(self, provider_id: str, told: str | None) -> bytes:
        return self._raw


async def test_a_photo_becomes_an_attachment_of_its_adapter_and_is_tied_to_its_request() -> None:
    shelf = FakeShelf()
    files = Files(Held(jpeg()), attachments_of(shelf))
    number = await files.keep(File("77"), "whatsapp")
    assert number is not None
    assert shelf.known[number].owner == "whatsapp"
    assert await files.keep(File("78"), "whatsapp") == number  # the same content again
    await files.tie(Tie("7XK29MQ4T3BDA", "whatsapp", (number,)))
    assert [(link.request_id, link.use) for link in shelf.known[number].links] == [("7XK29MQ4T3BDA", Use.SENT)]


async def test_what_is_no_picture_is_not_taken() -> None:
    assert await Files(Held(b"OggS" + bytes(100)), attachments_of(FakeShelf())).keep(File("77"), "whatsapp") is None


async def test_without_a_token_nothing_can_be_fetched_and_what_a_letter_brought_is_there() -> None:
    files = Files(None, attachments_of(FakeShelf()))
    assert await files.keep(File("77"), "whatsapp") is None
    assert await files.keep(File(attachment="a_" + "7" * 32), "mail") == "a_" + "7" * 32


async def test_while_the_database_is_away_a_file_waits() -> None:
    shelf = FakeShelf()
    shelf.away = True
    with pytest.raises(NotNow):
        await Files(Held(jpeg()), attachments_of(shelf)).keep(File("77"), "whatsapp")
