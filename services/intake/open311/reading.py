"""
Public reads from reporting, over HTTP; and which numbers were given so lately that reporting may not have them yet.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from services.common.contracts.public import PublicRequest, PublicStep
from services.common.kit.errors import Retryable
from services.intake.open311.parameters import Stretch

PATIENCE: Final = 2.0
_PAUSE: Final = 0.05
_KEPT: Final = 50_000
_JUST: Final = 30.0
_LIMIT: Final = 5.0


class ReadingAway(Retryable):
    """
    Reporting does not answer, or not yet.
    """


class PublicView(PublicRequest):
    """
    A request as reporting gives it to everybody. ``media_urls`` are ours to add.
    """

    media_urls: tuple[str, ...] = ()


class PublicPage(BaseModel):
    """
    Some of the requests that fit, and how many do in all.
    """

    total: int
    items: list[PublicView]


class _Steps(BaseModel):
    items: list[PublicStep]


NOTHING: Final = PublicPage(total=0, items=[])
Shape = TypeVar("Shape", bound=BaseModel)


class Lately:
    """
    The numbers that this process gave last to whoever may read them, and when.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, float] = {}

    def remember(self, number: str) -> None:
        """
        This number was given just now.
        """
        if len(self._numbers) >= _KEPT:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[number] = monotonic()

    def __contains__(self, number: str) -> bool:
        return number in self._numbers

    def just(self, number: str) -> bool:
        """
        Whether it was given in the last half minute.
        """
        return monotonic() - self._numbers.get(number, -_JUST) < _JUST


class PublicReader:
    """
    Asks reporting. An unknown number that was given lately is asked for again until ``patience`` seconds are over.
    """

    def __init__(self, http: httpx.AsyncClient, reporting_url: str, lately: Lately, patience: float = PATIENCE) -> None:
        self._http = http
        self._url = f"{reporting_url.rstrip('/')}/v1/public"
        self._lately = lately
        self._patience = patience

    async def one(self, number: str) -> PublicView | None:
        """
        The request; None if nobody knows it or it is not public. Raises ``ReadingAway``.
        """
        give_up_at = monotonic() + self._patience
        while True:
            answer = await self._get(f"requests/{number}", {})
            if answer.status_code == httpx.codes.OK:
                return _read(PublicView, answer)
            if answer.status_code == httpx.codes.FORBIDDEN or number not in self._lately:
                return None
            if monotonic() >= give_up_at:
                raise ReadingAway("the request was accepted and cannot be read yet")
            await asyncio.sleep(_PAUSE)

    async def known(self, number: str) -> bool:
        """
        Whether everybody may know of the request: it can be read, or was given lately. Raises ``ReadingAway``.
        """
        return number in self._lately or await self.there(number)

    async def there(self, number: str) -> bool:
        """
        Whether it can be read by everybody now. Raises ``ReadingAway``.
        """
        return (await self._get(f"requests/{number}", {})).status_code == httpx.codes.OK

    async def page(self, query: Mapping[str, str], named: tuple[str, ...] = ()) -> PublicPage:
        """
        The requests that fit. If one of those ``named`` was given just now and is not there yet, wait for it. Raises
        ``ReadingAway``.
        """
        fresh = {number for number in named if self._lately.just(number)}
        give_up_at = monotonic() + self._patience
        while True:
            found = _read(PublicPage, await self._get("requests", query))
            if fresh <= {view.request_id for view in found.items} or monotonic() >= give_up_at:
                return found
            await asyncio.sleep(_PAUSE)

    async def steps(self, stretch: Stretch) -> list[PublicStep]:
        """
        What happened to public requests, oldest first. Raises ``ReadingAway``.
        """
        query = {"since": stretch.since.isoformat(), "until": stretch.until.isoformat()}
        return _read(_Steps, await self._get("steps", query)).items

    async def _get(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        try:
            answer = await self._http.get(f"{self._url}/{path}", params=dict(query), timeout=_LIMIT)
        except httpx.HTTPError as error:
            raise ReadingAway("reporting does not answer") from error
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN):
            raise ReadingAway(f"reporting answers {answer.status_code}")
        return answer


def _read(shape: type[Shape], answer: httpx.Response) -> Shape:
    try:
        return shape.model_validate_json(answer.content)
    except ValidationError:
        raise ReadingAway("reporting's answer cannot be read") from None
