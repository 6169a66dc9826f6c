"""
What Kafka knows of our consumer groups: how far each is behind, who is in it, and what it could never handle.

Clients are made when somebody looks: the api starts and serves without Kafka.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.common.contracts.topics import GROUPS, dlq_of
from services.common.kit.letters import REPLAYED, Letter, LettersError, read, send_back
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.settings import KafkaSettings
from services.common.kit.worker import group_lag

SECONDS: Final = 6.0  # for one look
NEWEST: Final = 1_000  # records of a dead-letter topic that are looked at


class BrokerAway(Exception):
    """
    Kafka does not answer in time. The message is the kind of error.
    """


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
        try:
            async with asyncio.timeout(SECONDS), self._clients() as (admin, probe):
                return [await self._group(name, admin, probe) for name in GROUPS]
        except (KafkaError, OSError, LettersError) as error:
            raise BrokerAway(type(error).__name__) from error

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

    async def _group(self, name: str, admin: Any, probe: Any) -> Group:
        committed = await admin.list_consumer_group_offsets(name)
        topics = sorted({place.topic for place in committed})
        lag = await group_lag(name, topics, admin, probe) if topics else {}
        letters = await self._letters(name, probe)
        return Group(
            name=name,
            members=await _members(name, admin),
            behind={f"{place.topic}/{place.partition}": count for place, count in sorted(lag.items()) if count},
            letters=Counter(one.reason for one in letters if not one.sent_back),
        )

    async def _letters(self, group: str, probe: Any) -> list[Letter]:
        """
        Read again only if something was added.
        """
        place = TopicPartition(dlq_of(group).name, 0)
        end = (await probe.end_offsets([place]))[place]
        if group not in self._read or self._read[group][0] != end:
            self._read[group] = end, await self.letters(group) if end else []
        return self._read[group][1]

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
        servers = self._settings.bootstrap_servers
        admin, probe = AIOKafkaAdminClient(bootstrap_servers=servers), AIOKafkaConsumer(bootstrap_servers=servers)
        try:
            await admin.start()
            await probe.start()
            yield admin, probe
        finally:
            await probe.stop()
            await admin.close()


async def _members(group: str, admin: Any) -> int | None:
    """
    How many processes the broker counts in the group; None if it does not say.
    """
    for answer in await admin.describe_consumer_groups([group]):
        for described in answer.to_object()["groups"]:
            if not described["error_code"]:
                return len(described["members"])
    return None
