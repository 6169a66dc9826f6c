"""
What codes are called: the catalogue's, an imported city's, and those that nobody knows.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from services.common.contracts.catalogue import catalogue
from services.common.kit.clock import FrozenClock
from services.reporting.names import Names, short
from services.reporting.names_repository import EVERY, NamesKept

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
BOSTON = {
    "_id": "names",
    "city": {"tr": "Boston", "en": "City of Boston"},
    "departments": {
        "parks": {"tr": "Park ve Bahçeler Müdürlüğü (BPRD)", "en": "Parks and Recreation"},
        "zabita": {"tr": "Polis", "en": "Police"},
    },
    "services": {"pothole": {"tr": "Yolda çukur (PWD)", "en": "Pothole"}},
}


def test_everything_of_the_catalogue_has_a_name_in_both_languages() -> None:
    for found in (Names().tables("tr"), Names().columns("en")):
        assert found["department"].keys() == catalogue().departments.keys()
        assert found["service"].keys() == catalogue().services.keys()
    assert Names().words("department", "fen-isleri") == ("Fen İşleri Müdürlüğü", "Public Works")
    assert Names().words("service", "yol-cukur").tr == "Yolda çukur, bozuk asfalt"
    assert Names().words("channel", "walk_in").tr == "Yüz yüze"


def test_a_column_of_departments_leaves_out_what_all_of_them_are() -> None:
    assert Names().name("department", "fen-isleri", "tr") == "Fen İşleri"
    assert Names().columns("tr")["department"]["fen-isleri"] == "Fen İşleri"
    assert Names().tables("tr")["department"]["fen-isleri"] == "Fen İşleri Müdürlüğü"
    assert short("Zabıta") == "Zabıta"


def test_an_imported_city_has_its_names_beside_the_catalogues() -> None:
    boston = Names.of(BOSTON)
    assert boston.words("department", "parks") == ("Park ve Bahçeler Müdürlüğü", "Parks and Recreation")
    assert boston.name("department", "parks", "tr") == "Park ve Bahçeler"
    assert boston.name("service", "pothole", "tr") == "Yolda çukur (PWD)"
    assert boston.words("department", "zabita").tr == "Zabıta Müdürlüğü"
    assert boston.tables("en")["service"].keys() == {*catalogue().services, "pothole"}
    assert (boston.city("tr"), boston.city("en"), Names().city("tr")) == ("Boston", "City of Boston", "")


def test_what_nobody_knows_is_called_what_it_is() -> None:
    assert Names.of(BOSTON).words("department", "PWDx") == ("PWDx", "PWDx")
    assert Names().name("neighbourhood", "Kale", "en") == "Kale"


def test_a_city_of_which_nothing_but_its_name_is_known_has_names() -> None:
    assert Names.of({"city": BOSTON["city"]}).tables("tr") == Names().tables("tr")


# --- kept ---


class Meta:
    """
    A database with one collection of one document, or one that is away.
    """

    def __init__(self) -> None:
        self.document: Mapping[str, Any] | None = None
        self.away = False
        self.asked = 0

    def __getitem__(self, _: str) -> "Meta":
        return self

    async def find_one(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        assert wanted == {"_id": "names"}
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise AutoReconnect
        return self.document


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def kept(meta: Meta, clock: FrozenClock) -> NamesKept:
    return NamesKept(meta, "boston", clock)  # type: ignore[arg-type]


async def test_names_are_asked_for_once_a_minute_however_many_want_them(
    kept: NamesKept, meta: Meta, clock: FrozenClock
) -> None:
    meta.document = BOSTON
    found = await asyncio.gather(*(kept.current() for _ in range(5)))
    assert {names.city("tr") for names in found} == {"Boston"}
    clock.advance(EVERY - timedelta(seconds=1))
    await kept.current()
    assert meta.asked == 1
    clock.advance(timedelta(seconds=1))
    await kept.current()
    assert meta.asked == 2


async def test_names_that_are_imported_while_it_runs_are_known_a_minute_later(
    kept: NamesKept, meta: Meta, clock: FrozenClock
) -> None:
    assert (await kept.current()).city("tr") == ""
    meta.document = BOSTON
    clock.advance(EVERY)
    assert (await kept.current()).city("tr") == "Boston"


async def test_while_the_database_is_away_the_names_stay_what_they_were(
    kept: NamesKept, meta: Meta, clock: FrozenClock
) -> None:
    meta.document = BOSTON
    await kept.current()
    meta.away = True
    clock.advance(EVERY)
    assert (await kept.current()).city("tr") == "Boston"


async def test_if_it_never_answered_they_are_the_catalogues(kept: NamesKept, meta: Meta) -> None:
    meta.away = True
    assert (await kept.current()).name("department", "zabita", "tr") == "Zabıta"
