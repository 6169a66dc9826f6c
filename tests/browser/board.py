"""
The dashboard over a few hundred requests in memory: documents, the facts of them, and reporting's app over both.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import polars as pl
from playwright.sync_api import Page

from services.common.contracts.clocks import load_calendar
from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import Channel, Kind
from services.common.kit.clock import system_clock
from services.common.kit.guard import People
from services.reporting.api import create_app
from services.reporting.dashboard.live import Board
from services.reporting.figures.facts import Row, fact_of, frame_of
from services.reporting.figures.flags import with_flags
from services.reporting.figures.points import places_of, points_of
from services.reporting.figures.selection import condition
from services.reporting.figures.snapshot import COLUMNS, Figures
from services.reporting.projections import Document
from services.reporting.queries import Filter, order_of
from services.reporting.settings import ApiSettings
from tests.browser.look import serving
from tests.people import FakeTokens, SignedIn, signed_in
from tests.unit.reporting.files import NOWHERE, SECRET, Keys
from tests.unit.reporting.lives import Life, documents_of

MANAGER: Final = signed_in(Role.MANAGER, name="Zeynep Arslan")
CLERK: Final = signed_in(Role.DEPARTMENT, departments=("zabita",), name="Hasan Yıldız")
CALENDAR: Final = load_calendar()
_SERVICES: Final = ("yol-cukur", "cop-alinmadi", "gurultu", "park-bakim", "seyyar-satici", "dilenci", "hurda-arac")
_PLACES: Final = {
    "Kadıköy": (41.287, 36.330), "Kale": (41.289, 36.337), "Liman": (41.295, 36.341), "Derecik": (41.268, 36.310),
    "Bahçelievler": (41.279, 36.345), "19 Mayıs": (41.283, 36.333), "Zafer": (41.280, 36.322), "Çay": (41.272, 36.329),
}  # fmt: skip
_CHANNELS: Final = (Channel.PHONE,) * 5 + (Channel.WHATSAPP,) * 3 + (Channel.WEB, Channel.EMAIL)


@dataclass
class City:
    """
    What the app stands on: the repository of lists and the snapshot of facts in one.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, *lives: Life) -> None:
        """
        These happened.
        """
        for life in lives:
            for number, document in documents_of(life.events).items():
                self.documents[number] = document
                if (row := fact_of(document, CALENDAR)) is not None:
                    self.rows[number] = row

    @property
    def frame(self) -> pl.DataFrame:
        """
        The facts of all documents, with their numbers.
        """
        return frame_of(self.rows.values())

    async def current(self) -> Figures:
        """
        As ``Snapshot`` does.
        """
        now = datetime.now(UTC)
        frame = with_flags(self.frame.select(COLUMNS))
        points = points_of([places_of(frame)])
        return Figures(frame, str(len(self.documents)), now - timedelta(seconds=1), points)

    async def page(self, filters: Filter, now: datetime, limit: int, since: str | None) -> Sequence[Document]:
        """
        As ``Repository`` does.
        """
        order = order_of(filters)
        numbers = self.frame.filter(condition(filters, now))["request_id"].to_list()
        found = sorted((self.documents[number] for number in numbers), key=lambda one: str(one[order]), reverse=True)
        return [one for one in found if since is None or one[order] < since][:limit]


def grown(seed: int = 7, count: int = 300, days: int = 40) -> City:
    """
    A city with requests of the last days, the same for the same seed but for the present.
    """
    dice, city, now = random.Random(seed), City(), datetime.now(UTC)
    for number in range(count):
        at = now - timedelta(days=days * dice.random() ** 1.2, minutes=30)
        mahalle, point = dice.choice(list(_PLACES.items()))
        near = (round(point[0] + dice.gauss(0, 0.002), 4), round(point[1] + dice.gauss(0, 0.002), 4))
        life = Life(number, at=at, service=dice.choice(_SERVICES))
        life.receive(channel=dice.choice(_CHANNELS), kind=dice.choice(list(Kind)), mahalle=mahalle, point=near)
        if number % 90 == 0:
            life.keep(emergency=True)
        life.register().assign()
        ends = timedelta(hours=dice.lognormvariate(2.8, 0.9))
        if number % 90 and at + ends < now - timedelta(minutes=10):
            life.close(ends)
            if dice.random() < 0.4:
                life.rate(dice.choice((1, 3, 4, 5, 5)))
        city.add(life)
    return city


@contextmanager
def board(city: City) -> Iterator[str]:
    """
    The address of reporting over a city.
    """
    settings = ApiSettings(cursor_secret=SECRET, token_secret=SECRET, mongo=NOWHERE)
    app = create_app(settings, callers=Keys(), tokens=FakeTokens())
    with serving(app) as url:
        httpx.get(f"{url}/healthz").raise_for_status()  # it has started, so nothing is set over ours
        app.state.figures = app.state.repository = city
        app.state.board = Board(city, system_clock)
        app.state.inbox = replace(app.state.inbox, repository=city)
        app.state.people = People(Keys(), FakeTokens(), url, url)
        yield url


def sit_down(page: Page, url: str, who: SignedIn, path: str) -> None:
    """
    That person opens a page.
    """
    page.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in who.cookies.items()])
    page.goto(f"{url}{path}")


def report(url: str, name: str, **parameters: Any) -> dict[str, Any]:
    """
    What the API says.
    """
    given = {key.rstrip("_"): value for key, value in parameters.items()}
    answer = httpx.get(f"{url}/v1/reports/{name}", params=given, headers={"X-API-Key": "reader"}, timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
