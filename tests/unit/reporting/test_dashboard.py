"""
The dashboard's tiles, its stream, and what the address of a list says.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import polars as pl
import pytest

from services import reporting
from services.common.kit.http import Problem
from services.common.ui.words import Words
from services.reporting.dashboard import live
from services.reporting.dashboard.asked import chips, files, parameters
from services.reporting.dashboard.choices import choices
from services.reporting.dashboard.live import Board, aged, events
from services.reporting.dashboard.tiles import tiles
from services.reporting.figures.definitions import definitions
from services.reporting.figures.facts import frame_of
from services.reporting.figures.snapshot import Figures
from services.reporting.figures.spans import previous
from services.reporting.names import Names
from services.reporting.queries import Filter
from tests.unit.reporting.facts import fact

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # 15:00 in Istanbul
DAY = timedelta(days=1)
WEEK = Filter(first_day=date(2026, 11, 19), last_day=date(2026, 11, 25))


def at(days: int, hours: float = 0) -> datetime:
    return NOW - timedelta(days=days, hours=hours)


# --- tiles ---


def test_today_is_compared_with_yesterday_until_the_same_hour() -> None:
    frame = frame_of(
        [
            fact(received_at=at(0, 1)),
            fact(received_at=at(0, 14)),
            fact(received_at=at(1, 1)),
            fact(received_at=at(1, -1)),
        ]
    )
    assert tiles(frame, Filter(), None, NOW)["today"] == {"received": 2, "yesterday": 1}


def test_a_span_is_what_came_in_then_and_now_is_everything() -> None:
    old = fact(received_at=at(40), resolve_by=at(30), emergency=True)
    new = fact(received_at=at(2), closed_at=at(1), rating=4)
    found = tiles(frame_of([old, new]), WEEK, previous(WEEK, NOW), NOW)
    assert (found["span"]["received"], found["span"]["closed"], found["span"]["rating_average"]) == (1, 1, 4)
    assert found["before"]["received"] == 0
    assert (found["now"]["open"], found["now"]["overdue"], found["now"]["emergencies_open"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("closed_at", "open_before"),
    [
        (None, 1),
        (at(1), 1),
        (datetime(2026, 11, 18, 21, 0, tzinfo=UTC), 1),
        (datetime(2026, 11, 18, 20, 59, tzinfo=UTC), 0),
    ],
)
def test_what_was_open_when_the_span_began_is_counted_by_the_last_closing(
    closed_at: datetime | None, open_before: int
) -> None:
    frame = frame_of([fact(received_at=at(10), closed_at=closed_at), fact(received_at=at(3))])
    assert tiles(frame, WEEK, None, NOW)["now"]["open_before"] == open_before


def test_without_a_first_day_there_is_nothing_before() -> None:
    assert previous(Filter(), NOW) is None
    assert tiles(frame_of([fact(received_at=at(1))]), Filter(), None, NOW)["now"]["open_before"] is None


def test_the_span_before_ends_where_the_span_begins() -> None:
    assert previous(WEEK, NOW) == replace(WEEK, first_day=date(2026, 11, 12), last_day=date(2026, 11, 18))
    assert previous(Filter(first_day=date(2026, 11, 24)), NOW) == Filter(
        first_day=date(2026, 11, 22), last_day=date(2026, 11, 23)
    )


def test_a_department_sees_its_own_in_every_tile() -> None:
    frame = frame_of([fact(received_at=at(0, 1)), fact(received_at=at(0, 1), department="fen-isleri")])
    found = tiles(frame, Filter(within=frozenset({"zabita"})), None, NOW)
    assert (found["today"]["received"], found["span"]["received"], found["now"]["open"]) == (1, 1, 1)


def test_tiles_of_nothing_are_there() -> None:
    found = tiles(frame_of([]), WEEK, previous(WEEK, NOW), NOW)
    assert found["span"]["on_time_share"] is None
    assert found["now"] == {"open": 0, "overdue": 0, "paused": 0, "emergencies_open": 0, "open_before": 0}


# --- the stream ---


class Source:
    """
    Facts that change when they are told to.
    """

    def __init__(self, *frames: Sequence[dict[str, object]]) -> None:
        self.frames = [frame_of(rows) for rows in frames]
        self.asked = 0

    async def current(self) -> Figures:
        frame: pl.DataFrame = self.frames[min(self.asked, len(self.frames) - 1)]
        self.asked += 1
        return Figures(frame, str(min(self.asked, len(self.frames))), NOW - timedelta(seconds=2))


class Time:
    """
    A clock that goes on by a step whenever somebody looks at it.
    """

    def __init__(self, step: timedelta) -> None:
        self.now = NOW
        self.step = step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


async def heard(source: Source, clock: Time, *, looks: int = 1_000) -> list[tuple[str, dict[str, object]]]:
    left = iter(range(looks))
    board = Board(source, lambda: NOW)
    found = [piece async for piece in events(board, Filter(), None, clock, lambda: next(left, None) is None, every=0)]
    said = [dict(line.partition(": ")[::2] for line in piece.strip().splitlines()) for piece in found]
    return [(one["event"], json.loads(one["data"])) for one in said if "event" in one]


async def test_tiles_are_told_when_they_change_and_not_again() -> None:
    one, two = [fact(received_at=at(1))], [fact(received_at=at(1)), fact(received_at=at(2))]
    told = await heard(Source(one, one, two, two), Time(timedelta(milliseconds=1)), looks=8)
    assert [(name, data["span"]["received"]) for name, data in told] == [("tiles", 1), ("tiles", 2)]  # type: ignore[index]


async def test_a_quiet_stream_says_how_old_it_is() -> None:
    told = await heard(Source([fact(received_at=at(1))]), Time(timedelta(seconds=4)), looks=12)
    assert [name for name, _ in told][:2] == ["tiles", "beat"]
    assert told[1][1].keys() == {"as_of", "lag_seconds"}


async def test_a_stream_ends_after_a_quarter_of_an_hour_so_that_whoever_may_no_longer_is_let_out() -> None:
    source = Source([fact(received_at=at(1))])
    clock = Time(timedelta(minutes=1))
    await heard(source, clock)
    assert clock.now >= NOW + live.LASTS
    assert source.asked < 16


async def test_a_stream_ends_when_the_process_stops() -> None:
    assert await heard(Source([fact(received_at=at(1))]), Time(timedelta(0)), looks=0) == []


async def test_many_pages_are_served_by_one_making(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make(*given: object) -> dict[str, int]:
        made.append(given)
        return {"n": len(made)}

    monkeypatch.setattr(live, "tiles", make)
    board = Board(Source([]), lambda: NOW)
    assert [(await board.look(Filter(), None))[1] for _ in range(3)] == [{"n": 1}] * 3
    await board.look(Filter(channel=("phone",)), None)
    assert len(made) == 2


def test_facts_without_a_time_have_no_age() -> None:
    assert aged(Figures(frame_of([]), "", None), NOW) == {"as_of": None, "lag_seconds": None}
    assert aged(Figures(frame_of([]), "", NOW + DAY), NOW)["lag_seconds"] == 0  # clocks differ


# --- the address of a list ---


def pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def test_the_address_of_the_page_is_the_query_of_the_list() -> None:
    asked = parameters(
        pairs("department=zabita,fen-isleri&status=open&on_time=false&from=2026-11-01&wall=1&lang=en&q=")
    )
    filters = asked.filter()
    assert filters.department == ("zabita", "fen-isleri")
    assert (filters.on_time, filters.first_day, filters.q) == (False, date(2026, 11, 1), None)


@pytest.mark.parametrize(
    ("query", "field"), [("from=yesterday", "from"), ("colour=red", "colour"), ("status=x", "status")]
)
def test_what_cannot_be_read_is_named(query: str, field: str) -> None:
    with pytest.raises(Problem) as refused:
        parameters(pairs(query))
    assert [error.field for error in refused.value.document.errors] == [field]


def test_chips_say_what_narrows_the_list_and_take_it_away() -> None:
    query = pairs("department=zabita,fen-isleri&status=open&from=2026-11-01&emergency=true&lang=tr&cursor=x")
    found = chips(query, "/requests", Names(), "tr")
    assert [(label, value) for label, value, _ in found] == [
        ("Birim", "Zabıta, Fen İşleri"),
        ("Durum", "Açık"),
        ("Geldiği gün, en erken", "01.11.2026"),
        ("Acil durum", "Evet"),
    ]
    assert found[1][2] == "/requests?department=zabita%2Cfen-isleri&from=2026-11-01&emergency=true"


@pytest.mark.parametrize("query", [{}, {"status": "open", "from": "2026-11-01"}, {"q": "çukur", "parts": "true"}])
def test_the_files_of_a_list_are_those_of_its_filter_for_people(query: dict[str, str]) -> None:
    filters = parameters(query.items()).filter()
    (_, csv), (_, xlsx) = files(filters, "en")
    for address, words in ((csv, {"excel": "true"}), (xlsx, {})):
        assert dict(parse_qsl(address.partition("?")[2])) == {**filters.as_query(), "lang": "en", **words}
    assert csv.startswith("/v1/exports/requests.csv?")


@pytest.mark.parametrize("query", [{"q": "7XK29MQ4T3BDM"}, {"q": "7xk2-9mq4"}, {"parent": "7XK29MQ4T3BDM"}])
def test_of_one_number_or_its_parts_there_is_no_file(query: dict[str, str]) -> None:
    assert files(parameters(query.items()).filter(), "tr") == []


# --- names ---


def test_choices_stand_in_the_order_of_the_turkish_alphabet() -> None:
    departments = [text for _, text in choices(Names(), "tr", None)["department"]]
    assert departments.index("Gençlik ve Spor Hizmetleri") < departments.index("Hukuk İşleri")
    assert departments.index("Hukuk İşleri") < departments.index("İklim Değişikliği ve Sıfır Atık")
    assert departments.index("Ruhsat ve Denetim") < departments.index("Sosyal Destek Hizmetleri")
    assert departments.index("İmar ve Şehircilik") < departments.index("Kadın ve Aile Hizmetleri")
    assert choices(Names(), "tr", {"zabita"})["department"] == [("zabita", "Zabıta")]


def test_what_an_imported_city_has_is_offered_by_its_name() -> None:
    boston = Names(imported={"service": {"pothole": Words("Çukur", "Pothole")}})
    assert ("pothole", "Pothole") in choices(boston, "en", None)["service"]


def test_every_sign_on_the_page_leads_to_a_definition() -> None:
    page = Path(str(reporting.__file__)).with_name("pages") / "dashboard/panel.html"
    text = page.read_text(encoding="utf-8")
    asked = set(re.findall(r"tile\('\w+', t\([^)]*(?:\([^)]*\))?[^)]*\), '(\w+)'\)", text))
    asked |= set(re.findall(r"card\('\w+', t\([^)]*\), '(\w+)'", text))
    assert len(asked) > 8
    assert asked <= set(definitions())
