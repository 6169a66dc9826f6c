"""
A notifier with all its parts at hand, on the real database, for notify's tests.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from services.common.contracts.envelope import Record, decode
from services.common.contracts.events import Notification
from services.common.contracts.vocabulary import Language, NotifyVia
from services.common.kit.clock import FrozenClock
from services.common.kit.mongo import Client
from services.common.kit.publisher import PublishFailed
from services.common.kit.testing import FakePublisher
from services.notify.channels.base import Letter, Report
from services.notify.domain import Rules, Telling
from services.notify.handler import Notifier
from services.notify.messages import House, Message
from services.notify.repository import NotifyRepository
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from tests.unit.notify.lives import NOON, REQUEST

TEMPLATES = load_templates()
HOUSE = House({Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"}, "444 55 01", "http://x.example")


class Provider:
    """
    A provider in memory that fails as it is told to.
    """

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.knows: dict[str, Report] = {}
        self.fail_with: list[Exception] = []

    async def send(self, letter: Letter, /) -> str | None:
        """
        Take the message, or raise what was asked for.
        """
        if self.fail_with:
            raise self.fail_with.pop()
        self.letters.append(letter)
        return letter.key

    @property
    def taken(self) -> list[tuple[str, str, Message]]:
        """
        The keys, addresses and messages that it took.
        """
        return [(letter.key, letter.to, letter.message) for letter in self.letters]

    async def close(self) -> None:
        """
        Nothing to close.
        """


class AskedProvider(Provider):
    """
    A provider that has to be asked what became of messages.
    """

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        """
        What it knows of these.
        """
        return {name: self.knows[name] for name in provider_ids if name in self.knows}


class LosingPublisher(FakePublisher):
    """
    Kafka takes the records but the answer is lost, as often as ``lose`` says. ``meanwhile`` is done once before it is
    given.
    """

    lose = 0
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def publish(self, records: Record | Sequence[Record]) -> None:
        """
        Keep the records; then maybe raise.
        """
        await super().publish(records)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if self.lose:
            self.lose -= 1
            raise PublishFailed("the answer was lost")


class Scene:
    """
    A notifier with all its parts at hand.
    """

    def __init__(self, client: Client, database: str, provider: Provider | None = None) -> None:
        self.clock = FrozenClock(NOON)
        self.provider = provider or Provider()
        self.kafka = LosingPublisher()
        self.repository = NotifyRepository(client, database)
        self.notifier = Notifier(
            self.repository,
            self.kafka,
            dict.fromkeys((NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP), self.provider),
            TEMPLATES,
            load_staff(),
            HOUSE,
            Rules(),
            clock=self.clock,
        )

    async def telling(self, request_id: str = REQUEST) -> Telling:
        """
        What is stored of a request.
        """
        return (await self.repository.tellings([request_id]))[request_id]

    async def run_dry(self, request_id: str = REQUEST) -> None:
        """
        Let time pass until nothing is left to do.
        """
        for _ in range(200):
            telling = await self.telling(request_id)
            if telling.next_at is None:
                break
            self.clock.now = max(self.clock.now, telling.next_at)
            _, hands = await self.notifier.take()
            await self.notifier.fly(hands)
        self.clock.advance(timedelta(seconds=2))
        while await self.notifier.outbox.publish_once():
            pass

    def outcomes(self, request_id: str = REQUEST) -> dict[str, set[tuple[str, str, bytes]]]:
        """
        By transition: type, id and bytes of what was published, without the queued ones.
        """
        found: dict[str, set[tuple[str, str, bytes]]] = {}
        for record in self.kafka.records:
            event = decode(record.topic, record.key, record.value, record.headers)
            assert isinstance(event.data, Notification)
            kind = type(event.data).__name__.removeprefix("Notification")
            if kind != "Queued" and event.data.request_id == request_id:
                found.setdefault(event.data.transition, set()).add((kind, event.meta.id, record.value or b""))
        return found
