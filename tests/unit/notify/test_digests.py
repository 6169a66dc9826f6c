"""
The digests at work: read with our key, written once, tried again while somebody is away.
"""

from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.digests import Digests, OpenWork, ReportingAway
from services.notify.samples import HOUSE
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from services.notify.times import ISTANBUL

MORNING = datetime(2026, 6, 3, 8, 31, tzinfo=ISTANBUL)
DEPARTMENTS = ("zabita", "fen-isleri")
TEXTS, STAFF = load_templates(), load_staff()
ROW = {
    "request_id": "7XK29MQ4T3BDM",
    "service_code": "yol-cukur",
    "emergency": False,
    "paused": False,
    "overdue": True,
    "due": {"resolve_by": "2026-06-01T06:00:00Z"},
}


class Claims:
    """
    The collection, in memory.
    """

    def __init__(self) -> None:
        self.rows: set[tuple[date, str]] = set()

    async def done(self, day: date) -> set[str]:
        return {department for on, department in self.rows if on == day}

    async def claim(self, day: date, department: str) -> bool:
        if (day, department) in self.rows:
            return False
        self.rows.add((day, department))
        return True

    async def release(self, day: date, department: str) -> None:
        self.rows.discard((day, department))


class Mails:
    """
    A mail server that does what it is told: ``errors`` first, then it takes letters.
    """

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.letters: list[Letter] = []

    async def send(self, letter: Letter, /) -> str | None:
        if self.errors:
            raise self.errors.pop(0)
        self.letters.append(letter)
        return letter.key

    async def close(self) -> None: ...


def reporting(rows: int = 1, status: int = 200, asked: list[httpx.Request] | None = None) -> httpx.AsyncClient:
    """
    Reporting with so many open rows of each department, two a page.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        at = int(request.url.params.get("cursor", 0))
        more = str(at + 2) if rows > at + 2 else None
        page: dict[str, Any] = {"items": [ROW] * min(2, rows - at), "next_cursor": more}
        return httpx.Response(status, json=page)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def digests(claims: Claims, mails: Mails, http: httpx.AsyncClient, now: datetime = MORNING) -> Digests:
    work = OpenWork(http, "http://reporting.test/", "ilk_key")
    return Digests(
        claims,  # type: ignore[arg-type]
        work,
        mails,
        TEXTS,
        STAFF,
        HOUSE,
        "https://rapor.ilkadim.example/",
        DEPARTMENTS,
        lambda: now,
    )


async def test_each_department_gets_one_mail_a_day_at_its_mailbox() -> None:
    claims, mails = Claims(), Mails()
    for _ in range(3):
        await digests(claims, mails, reporting()).look()
    assert [letter.to for letter in mails.letters] == ["zabita@example.org", "fen-isleri@example.org"]
    assert len({letter.key for letter in mails.letters}) == 2
    assert "https://rapor.ilkadim.example/department/fen-isleri" in mails.letters[1].message.text
    await digests(claims, mails, reporting(), MORNING + timedelta(days=1)).look()
    assert len(mails.letters) == 4
    assert len({letter.key for letter in mails.letters}) == 4


async def test_reporting_is_asked_with_our_key_for_what_is_open_page_by_page() -> None:
    asked: list[httpx.Request] = []
    found = await OpenWork(reporting(rows=5, asked=asked), "http://reporting.test/", "ilk_key").of("zabita")
    assert len(found) == 5
    assert [request.url.params.get("cursor") for request in asked] == [None, "2", "4"]
    for request in asked:
        assert request.headers["X-API-Key"] == "ilk_key"
        assert request.url.path == "/v1/requests"
        assert (request.url.params["department"], request.url.params["status"]) == ("zabita", "open")


async def test_a_department_with_nothing_open_is_left_in_peace_and_not_asked_about_again() -> None:
    claims, mails = Claims(), Mails()
    asked: list[httpx.Request] = []
    for _ in range(2):
        await digests(claims, mails, reporting(rows=0, asked=asked)).look()
    assert mails.letters == []
    assert len(asked) == len(DEPARTMENTS)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_while_reporting_is_away_nobody_is_written_to_and_the_next_look_does_it(status: int) -> None:
    claims, mails = Claims(), Mails()
    await digests(claims, mails, reporting(status=status)).look()
    assert (claims.rows, mails.letters) == (set(), [])
    await digests(claims, mails, reporting()).look()
    assert len(mails.letters) == 2


async def test_an_answer_that_is_none_counts_as_away() -> None:
    odd = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"items": [{}]})))
    with pytest.raises(ReportingAway):
        await OpenWork(odd, "http://reporting.test", "k").of("zabita")


@pytest.mark.parametrize("error", [TemporaryError("smtp_451"), TimeoutError()])
async def test_what_was_not_taken_is_sent_again_as_the_same_mail(error: Exception) -> None:
    claims, mails = Claims(), Mails(error)
    await digests(claims, mails, reporting()).look()
    assert [letter.to for letter in mails.letters] == ["fen-isleri@example.org"]
    await digests(claims, mails, reporting()).look()
    assert [letter.to for letter in mails.letters] == ["fen-isleri@example.org", "zabita@example.org"]


async def test_what_is_refused_for_good_is_not_tried_again() -> None:
    claims, mails = Claims(), Mails(PermanentError("refused"))
    for _ in range(2):
        await digests(claims, mails, reporting()).look()
    assert [letter.to for letter in mails.letters] == ["fen-isleri@example.org"]


async def test_outside_the_morning_nobody_is_asked_anything() -> None:
    asked: list[httpx.Request] = []
    for hour in (0, 8, 10, 23):
        early_or_late = MORNING.replace(hour=hour, minute=0)
        await digests(Claims(), Mails(), reporting(asked=asked), early_or_late).look()
    assert asked == []
