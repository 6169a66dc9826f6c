"""
The morning digests at work: what is open is read from reporting over HTTP, each department is written to once a day.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import Level
from services.common.kit import mongo
from services.common.kit.clock import Clock, system_clock
from services.common.kit.logs import logger
from services.notify.channels.base import Letter, PermanentError, Sender, TemporaryError
from services.notify.digest import Work, digest, due
from services.notify.digest_repository import DigestRepository
from services.notify.domain import STAFF
from services.notify.messages import House
from services.notify.settings import NotifySettings
from services.notify.staff import Staff
from services.notify.templates import Templates
from services.notify.times import ISTANBUL

log = logger(__name__)
EVERY: Final = timedelta(minutes=1)
PATIENCE: Final = 10.0
SEND_SECONDS: Final = 30.0
PAGE: Final = 200
MOST: Final = 5_000
"""So many open requests of one department are read; no department works through more."""


class ReportingAway(Exception):
    """
    Reporting does not answer, or not as it should, or refuses our key.
    """


class OpenWork:
    """
    A client for reporting, with an API key that has the scope reports:read alone.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, key: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/v1/requests"
        self._headers = {"X-API-Key": key}

    async def of(self, department: str) -> Sequence[Work]:
        """
        What is open there now, parts too. Raises ``ReportingAway``.
        """
        asked: dict[str, Any] = {"department": department, "status": "open", "parts": True, "limit": PAGE}
        found: list[Work] = []
        while len(found) < MOST:
            try:
                answer = await self._http.get(self._url, params=asked, headers=self._headers, timeout=PATIENCE)
                answer.raise_for_status()
                page = answer.json()
                found += [Work.of(row) for row in page["items"]]
                cursor = page["next_cursor"]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise ReportingAway(type(error).__name__) from error
            if cursor is None:
                break
            asked["cursor"] = cursor
        return found


class Digests:
    """
    Writes to every department that has something open. What cannot be read or sent now is tried again every minute
    until it is too late; a repeat has the same Message-ID. A process that dies between its claim and the mail server's
    answer leaves that department without its digest for the day.
    """

    def __init__(
        self,
        repository: DigestRepository,
        work: OpenWork,
        sender: Sender,
        templates: Templates,
        staff: Staff,
        house: House,
        reporting_public_url: str,
        departments: Sequence[str],
        clock: Clock = system_clock,
    ) -> None:
        self._repository = repository
        self._work = work
        self._sender = sender
        self._templates = templates
        self._staff = staff
        self._house = house
        self._inbox = f"{reporting_public_url.rstrip('/')}/department/"
        self._departments = departments
        self._clock = clock

    async def run(self) -> None:
        """
        For ever: look every minute whether somebody is to be written to.
        """
        while True:
            try:
                await self.look()
            except mongo.UNAVAILABLE as error:
                log.warning("the database does not answer: no digests now", error=type(error).__name__)
            await asyncio.sleep(EVERY.total_seconds())

    async def look(self) -> None:
        """
        Write to those who are due.
        """
        now = self._clock()
        if not due(now, self._departments, ()):
            return
        day = now.astimezone(ISTANBUL).date()
        for department in due(now, self._departments, await self._repository.done(day)):
            try:
                await self._write(department, day, now)
            except ReportingAway as error:
                log.warning("reporting does not answer: no digests now", error=str(error))
                return

    async def _write(self, department: str, day: date, now: datetime) -> None:
        mailbox = self._staff.contact(f"{STAFF}{department}:{Level.DEPARTMENT}")
        work = await self._work.of(department)
        if not await self._repository.claim(day, department) or not work or mailbox is None or mailbox.email is None:
            return
        inbox = self._inbox + quote(department, safe="")
        message = digest(self._templates, self._house, department, work, inbox, now)
        letter = Letter(mailbox.email, message, derived_id("notify", "digest", day.isoformat(), department))
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._sender.send(letter)
        except PermanentError as error:
            log.error("a digest cannot be sent", department=department, reason=str(error))
        except (TemporaryError, TimeoutError) as error:
            log.warning("a digest was not handed over yet", department=department, reason=type(error).__name__)
            await self._repository.release(day, department)


def digests_of(
    settings: NotifySettings,
    http: httpx.AsyncClient,
    repository: DigestRepository,
    sender: Sender,
    templates: Templates,
    staff: Staff,
) -> Digests | None:
    """
    The digests as they are set, or None without a key for reporting.
    """
    if settings.reporting_key is None or not settings.digests:
        return None
    return Digests(
        repository,
        OpenWork(http, settings.reporting_url, settings.reporting_key.get_secret_value()),
        sender,
        templates,
        staff,
        settings.house,
        settings.reporting_public_url,
        tuple(catalogue().departments),
    )
