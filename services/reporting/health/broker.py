"""
What Kafka knows of our consumer groups: how far each is behind, who is in it, and what it could never handle.

Clients are made when somebody looks: the api starts and serves without Kafka.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from services.common.contracts.topics import GROUPS
from services.common.kit.groups import BrokerAway, standings
from services.common.kit.letters import REPLAYED, Letter, LettersError, read, send_back
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.settings import KafkaSettings

NEWEST: Final = 1_000  # records of a dead-letter topic that are looked at


@dataclass(frozen=True, slots=True)
class Group:
    """
    A consumer group. ``members`` None: the broker does not say. ``behind``: records not acknowledged, by partition.
    ``letters``: dead letters that nobody sent back, by reason, among the newest.
    """

    name: str
    members: int | None
    behind: Mapping[str, int]
    letters: Mapping[str, int]

    @property
    def lag(self) -> int:
        """
        Records that the group has not acknowledged.
        """
        return sum(self.behind.values())

    @property
    def dead(self) -> int:
        """
        Dead letters that nobody sent back.
        """
        return sum(self.letters.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What became of a wish to send letters back: done, and left alone since they were sent back before.
    """

    done: tuple[Letter, ...]
    before: tuple[Letter, ...]


class Broker:
    """
    Kafka, asked when somebody looks.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._read: dict[str, tuple[int, list[Letter]]] = {}
        self._sending = asyncio.Lock()

    async def groups(self) -> list[Group]:
        """
        Every group. Raises ``BrokerAway``.
        """
        found = await standings(self._settings.bootstrap_servers, GROUPS)
        try:
            letters = [await self._letters(one.group, one.letters_end) for one in found]
        except LettersError as error:
            raise BrokerAway(str(error)) from error
        return [
            Group(one.group, one.members, one.behind, Counter(each.reason for each in theirs if not each.sent_back))
            for one, theirs in zip(found, letters, strict=True)
        ]

    async def letters(self, group: str) -> list[Letter]:
        """
        The dead letters among the newest of the group, oldest first. Raises ``LettersError``.
        """
        return await asyncio.to_thread(read, self._settings.bootstrap_servers, group, NEWEST)

    async def send_back(self, group: str, offsets: Collection[int]) -> Sent:
        """
        Send these letters' bytes back to where they came from, oldest first; none a second time. Raises
        ``LettersError`` (before anything is sent), and ``PublishFailed`` (those before it are sent).
        """
        async with self._sending:
            found = [one for one in await self.letters(group) if one.offset in set(offsets)]
            due = [(one, one.original(REPLAYED)) for one in found if not one.sent_back]
            publisher = KafkaPublisher(self._settings)
            try:
                for letter, record in due:
                    await send_back(publisher, letter, record, "replayed")
            finally:
                await publisher.close()
                self._read.pop(group, None)
        return Sent(tuple(one for one, _ in due), tuple(one for one in found if one.sent_back))

    async def _letters(self, group: str, end: int) -> list[Letter]:
        """
        Read again only if something was added.
        """
        if group not in self._read or self._read[group][0] != end:
            self._read[group] = end, await self.letters(group) if end else []
        return self._read[group][1]
