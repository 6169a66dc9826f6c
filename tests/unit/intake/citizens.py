"""
The citizens' pages over what is in memory.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import httpx

from services.common.kit.clock import system_clock
from services.common.kit.limits import Buckets
from services.common.kit.settings import Rate
from services.intake.application import Intake
from services.intake.attachments.service import Attachments
from services.intake.citizen.citizens import TRIES, Citizens
from services.intake.citizen.form import new_ticket
from services.intake.citizen.inner import Inner, Json
from services.intake.citizen.tiles import Tiles
from services.intake.guard import Away
from services.intake.open311.definitions import Definitions
from services.intake.open311.reading import Lately, PublicReader
from tests.unit.intake.desks import FakeSuggestions
from tests.unit.intake.endpoints import FakeReporting

SECRET = b"signs-the-links-of-tests"


@dataclass
class FakeInner:
    """
    Reporting's documents by number, and the last digits that notify knows. ``away``: neither answers. ``asked``: the
    requests that somebody saw as their citizen.
    """

    requests: dict[str, Json] = field(default_factory=dict)
    digits: dict[str, str] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def request(self, request_id: str) -> Json | None:
        self.asked.append(request_id)
        if self.away:
            raise Away
        return self.requests.get(request_id)

    async def knows(self, request_id: str, last4: str) -> bool:
        if self.away:
            raise Away
        return self.digits.get(request_id) == last4


def ticket(seconds: int = 60) -> str:
    """
    The ticket of a form that was shown so many seconds ago.
    """
    return new_ticket(SECRET, system_clock() - timedelta(seconds=seconds))


def citizens_of(
    intake: Intake,
    files: Attachments,
    suggestions: FakeSuggestions,
    reporting: FakeReporting,
    inner: FakeInner,
    known: Definitions,
    rate: Rate | None = None,
    public_url: str = "https://ilkim.example",
    tiles: Tiles | None = None,
) -> Citizens:
    """
    The pages' parts; without a ``rate`` an address sends as many forms as it likes.
    """
    http = httpx.AsyncClient(transport=httpx.MockTransport(reporting))
    return Citizens(
        intake=intake,
        files=files,
        suggestions=suggestions,
        reader=PublicReader(http, "http://reporting", Lately(), patience=0),
        inner=cast(Inner, inner),
        known=known,
        secret=SECRET,
        public_url=public_url,
        forms=Buckets(rate or Rate(per_second=0, at_once=1)),
        tries=Buckets(TRIES),
        trusted_proxies=frozenset(),
        clock=system_clock,
        tiles=tiles,
    )
