"""
The edge of statuses.py: what providers report, by themselves or asked, is put into the ledger.

A report can be faster than our own answer from the provider is put down. What finds no message is kept a quarter of an
hour and looked at again; then it is about none of ours.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit import metrics
from services.common.kit.clock import Clock
from services.common.kit.logs import logger
from services.notify import statuses
from services.notify.channels.base import PermanentError, Report, Reports, TemporaryError
from services.notify.domain import Contact, Rules, Telling
from services.notify.outbox import Outbox
from services.notify.repository import NotifyRepository
from services.notify.statuses import Reported

log = logger(__name__)
LIMIT: Final = 100
ASK_TIMEOUT_SECONDS: Final = 15.0


class Afterwards:
    """
    What becomes of messages after they left the house, on whatever database, providers and clock it is given.
    """

    def __init__(
        self,
        repository: NotifyRepository,
        providers: Mapping[NotifyVia, object],
        rules: Rules,
        clock: Clock,
        outbox: Outbox,
    ) -> None:
        self._repository = repository
        self._providers = {name: one for name, one in providers.items() if isinstance(one, Reports)}
        self._rules = rules
        self._clock = clock
        self._outbox = outbox

    def asks(self, channel: NotifyVia | None) -> bool:
        """
        Whether the channel's provider has to be asked what became of messages.
        """
        return channel in self._providers

    async def put_down(self, reports: Sequence[Reported]) -> bool:
        """
        Put reports into the ledger; keep those whose message is not there yet. Whether a telling changed.
        """
        found, changed = await self._apply(reports)
        await self._repository.keep_reports([one for one in reports if one not in found], self._clock())
        return changed

    async def again(self) -> bool:
        """
        Look once more for the messages of all reports that were too early. Whether a telling changed.
        """
        changed, last = False, None
        while early := await self._repository.early_reports(LIMIT, last):
            found, some = await self._apply(list(early.values()))
            await self._repository.drop_reports(found)
            changed |= some
            *_, last = early
        return changed

    async def _apply(self, reports: Sequence[Reported]) -> tuple[list[Reported], bool]:
        """
        Merge each report into the telling that it is about; which ones found theirs, and whether anything changed.
        """
        tellings = await self._repository.about(reports)
        contacts = await self._contacts(tellings.values())
        now = self._clock()

        def merged(telling: Telling) -> Telling:
            for report in reports:
                row = statuses.find(telling, report)
                if row is not None:
                    telling = statuses.merge(telling, report, contacts.get(row.recipient), now, self._rules)
            return telling

        written = await self._repository.change(tellings, merged, known=tellings)
        self._outbox.hand_over(written.values())
        found = [one for one in reports if any(statuses.find(telling, one) for telling in tellings.values())]
        for one in found:
            metrics.reports_total.labels(one.status).inc()
        return found, any(written[key] is not telling for key, telling in tellings.items())

    async def ask_once(self) -> bool:
        """
        Ask the providers about the messages whose time has come. Whether there were any.
        """
        now = self._clock()
        tellings = await self._repository.to_ask(now, LIMIT)
        if not tellings:
            return False
        ids: dict[NotifyVia, list[str]] = {}
        for telling in tellings.values():
            for row in telling.rows:
                if row.ask_at is not None and row.ask_at <= now and row.channel and row.provider_id:
                    ids.setdefault(row.channel, []).append(row.provider_id)
        answers: dict[str, Report] = {}
        for channel, wanted in ids.items():
            answers |= await self._ask(channel, wanted)
        contacts = await self._contacts(tellings.values())
        written = await self._repository.change(
            tellings, lambda telling: statuses.asked(telling, answers, contacts, now, self._rules), known=tellings
        )
        self._outbox.hand_over(written.values())
        return True

    async def _ask(self, channel: NotifyVia, provider_ids: Sequence[str]) -> Mapping[str, Report]:
        provider = self._providers.get(channel)
        if provider is None:
            return {}
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                return await provider.reports(provider_ids)
        except (TemporaryError, PermanentError, TimeoutError) as error:
            log.warning("a provider does not say what became of messages", channel=channel, reason=str(error))
            return {}

    async def _contacts(self, tellings: Iterable[Telling]) -> dict[str, Contact]:
        rows = (row for telling in tellings for row in telling.rows)
        return await self._repository.contacts(row.recipient for row in rows if row.for_citizen)
