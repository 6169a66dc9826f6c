"""
What the citizens' pages stand on, and who a citizen is to the rest of intake.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request

from services.common.kit.auth import Caller
from services.common.kit.clock import Clock
from services.common.kit.guard import foreign, people_of
from services.common.kit.http import Problem
from services.common.kit.limits import Buckets
from services.common.kit.settings import Networks, Rate
from services.common.ui.words import Words
from services.intake.application import Intake
from services.intake.attachments.service import Attachments
from services.intake.citizen.inner import Inner
from services.intake.citizen.tiles import Tiles
from services.intake.desk.suggest import Suggestions
from services.intake.keys import OWN
from services.intake.open311.definitions import Definitions
from services.intake.open311.reading import PublicReader

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
CITIZEN: Final = Caller(OWN, frozenset({"requests:write"}), frozenset())
TRIES: Final = Rate(per_second=5 / 3600, at_once=5)
"""How often the last digits of a request's telephone may be tried, whoever tries."""
BUSY: Final = Words(
    "Şu an güvenle kaydedilemiyor. Yazdıklarınız duruyor: birkaç saniye sonra yeniden gönderin. Acilse 112.",
    "It cannot be kept safely now. What you typed is still here: send it again in some seconds. In danger call 112.",
)


@dataclass(frozen=True, slots=True)
class Citizens:
    """
    What the pages stand on. ``secret`` signs links and tickets; ``public_url``: without a slash at the end;
    ``forms`` counts what an address sends, ``tries`` how often a request's digits were tried; ``tiles``: the map's.
    """

    intake: Intake
    files: Attachments
    suggestions: Suggestions
    reader: PublicReader
    inner: Inner
    known: Definitions
    secret: bytes
    public_url: str
    forms: Buckets
    tries: Buckets
    trusted_proxies: Networks
    clock: Clock
    tiles: Tiles | None = None


async def _citizens(request: Request) -> Citizens:
    citizens: Citizens = request.app.state.parts.citizens
    return citizens


async def _own_page(request: Request) -> None:
    if foreign(request, people_of(request).own_origins):
        raise Problem(403, "This came from a page that is not ours.")


CitizensOf = Annotated[Citizens, Depends(_citizens)]
OWN_PAGE: Final = Depends(_own_page)
"""For every form: no foreign page may make a browser send it."""
