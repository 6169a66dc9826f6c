"""
The page of health, and dead letters looked at and sent back from there.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from html import unescape

import httpx
import pytest

from services.common.contracts.roles import Role
from services.common.kit.letters import Letter
from tests.letters import letter
from tests.people import SignedIn, signed_in
from tests.unit.reporting.health_room import FakeStaff, FakeWatch, look, room, troubled

ADMIN = signed_in(Role.ADMIN)
SECRET = "Zümrüt 0532 123 45 67"


def browser(watch: FakeWatch, headers: Mapping[str, str], staff: FakeStaff | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(room(watch, staff))
    return httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=dict(headers))


async def got(watch: FakeWatch, path: str, who: SignedIn = ADMIN) -> httpx.Response:
    async with browser(watch, who.headers) as client:
        return await client.get(path)


async def page(watch: FakeWatch, path: str) -> str:
    """
    A page that is there, as its reader reads it.
    """
    answer = await got(watch, path)
    assert answer.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def posted(
    watch: FakeWatch, fields: Mapping[str, object], headers: Mapping[str, str] = ADMIN.headers, *, staff: FakeStaff
) -> httpx.Response:
    async with browser(watch, headers, staff) as client:
        return await client.post("/health/letters/routing/replay", data=dict(fields))


def kept(*letters: Letter) -> FakeWatch:
    watch = FakeWatch()
    watch.broker.kept = [replace(one, offset=place) for place, one in enumerate(letters)]
    return watch


async def test_when_all_is_well_the_page_says_so_and_nothing_else_is_wrong() -> None:
    found = await page(FakeWatch(), "/health")
    assert "Her şey yolunda" in found
    assert "ilgi bekliyor" not in found


async def test_on_a_bad_day_each_trouble_stands_on_the_page_with_what_to_do() -> None:
    found = await page(FakeWatch(troubled()), "/health?lang=en")
    for said in ("projector does not answer", "500 dead letters in a row", "No process is in the group reporting",
                 "routing is 1802 records behind", "The provider of sms cannot be reached (http_503)",
                 "31 inputs wait for Kafka", "The projector writes no heartbeat"):  # fmt: skip
        assert said in found
    assert "27 open requests and parts have not moved for 14 days" in found


async def test_without_kafka_and_database_the_page_opens_and_says_what_to_do() -> None:
    found = await page(FakeWatch(look(groups=None, projector=None, untouched=None)), "/health?lang=en")
    assert "Kafka cannot be reached" in found
    assert "The database does not answer" in found


async def test_what_changes_is_asked_alone() -> None:
    part = await got(FakeWatch(), "/health/now")
    assert "Her şey yolunda" in part.text
    assert "<html" not in part.text


@pytest.mark.parametrize("path", ["/health", "/health/now", "/health/letters/routing", "/health/letters/routing/0"])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.MANAGER, Role.DEPARTMENT])
async def test_the_pages_are_for_administrators_alone(path: str, role: Role) -> None:
    departments = ("zabita",) if role is Role.DEPARTMENT else ()
    who = signed_in(role, departments=departments)
    assert (await got(kept(letter()), path, who)).status_code == 403


async def test_the_turkish_name_leads_to_the_page() -> None:
    assert (await got(FakeWatch(), "/saglik")).headers["location"] == "/health"


@pytest.mark.parametrize("path", ["/health/letters/routing?sent=true", "/health/letters/routing/0"])
async def test_what_a_letter_says_is_never_shown(path: str) -> None:
    value = f'{{"text": "{SECRET}"}}'.encode()
    one = letter(value=value, key=SECRET.encode(), headers=(("ce_type", SECRET.encode()), ("x", SECRET.encode())))
    answer = await got(kept(one), path)
    assert answer.status_code == 200
    assert "Zümrüt" not in answer.text
    assert "0532" not in answer.text


async def test_a_letter_shows_its_reason_its_type_and_what_the_contracts_say_today() -> None:
    found = await page(kept(letter(why="text: missing")), "/health/letters/routing/0?lang=en")
    for said in ("ValueError", "text: missing", "requests.received/3/70", "RequestReceived", "The contracts take this"):
        assert said in found


async def test_letters_are_narrowed_by_reason_and_those_sent_back_are_left_out() -> None:
    watch = kept(letter(why="one reason"), letter(why="another"), replace(letter(why="third"), sent_back="replayed"))
    found = await page(watch, "/health/letters/routing")
    assert ("one reason" in found, "another" in found, "third" in found) == (True, True, False)
    assert "another" not in await page(watch, "/health/letters/routing?reason=one")
    assert "third" in await page(watch, "/health/letters/routing?sent=true")


async def test_the_chosen_letters_are_sent_back_once_and_who_did_it_is_put_down() -> None:
    watch, staff = kept(letter(), letter(), replace(letter(), sent_back="replayed")), FakeStaff()
    answer = await posted(watch, {"offset": ["0", "2"], "_csrf": ADMIN.person.csrf}, staff=staff)
    assert (answer.status_code, answer.headers["location"]) == (303, "/health/letters/routing")
    assert watch.broker.sent == [0]
    (line,) = staff.lines
    assert (line.what, line.who, line.about, line.purpose) == (
        "letters_sent_back", ADMIN.person.id, "routing.dlq", "0, 2"
    )  # fmt: skip


async def test_nothing_is_sent_back_without_the_csrf_token() -> None:
    watch, staff = kept(letter()), FakeStaff()
    cookie = {"Cookie": ADMIN.headers["Cookie"]}
    assert (await posted(watch, {"offset": "0"}, cookie, staff=staff)).status_code == 403
    assert (watch.broker.sent, staff.lines) == ([], [])


async def test_when_nothing_is_chosen_nothing_is_sent_or_put_down() -> None:
    watch, staff = kept(letter()), FakeStaff()
    assert (await posted(watch, {}, staff=staff)).status_code == 303
    assert (watch.broker.sent, staff.lines) == ([], [])


async def test_an_unknown_group_or_letter_is_not_there_and_without_kafka_it_can_be_tried_again() -> None:
    watch = kept(letter())
    assert (await got(watch, "/health/letters/nobody")).status_code == 422
    assert (await got(watch, "/health/letters/routing/99")).status_code == 404
    watch.broker.away = True
    answer = await got(watch, "/health/letters/routing")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
