"""
The worker: keeps the read model from requests.lifecycle, and from contacts the hashes by which a person is recognised
when they call; nothing else of a contact. It holds the conversations: from what citizens write it makes requests and
replies. It also sweeps files that no request names. (Apart from the HTTP side, which needs no Faust.)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import httpx

from services.common.contracts import topics
from services.common.contracts.events import Lifecycle, MessageReceived
from services.common.kit.clock import system_clock
from services.common.kit.health import Health
from services.common.kit.mongo import connect
from services.common.kit.worker import Delivery, Handle, Sender, WorkerSpec, background
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.service import sweep_for_ever
from services.intake.attachments.wiring import attachments_of
from services.intake.calls.people import Hashes, fold_people
from services.intake.calls.repository import CallRepository
from services.intake.conversations.handler import Conversations, for_ever, sent_in
from services.intake.conversations.media import Files, Graph
from services.intake.conversations.model import Rules
from services.intake.conversations.repository import ConversationRepository
from services.intake.desk.suggest import Routing
from services.intake.read_model import CaseState, Outcome, UpdateKey, fold
from services.intake.repository import AWAY, Repository
from services.intake.settings import IntakeSettings

APART = 0.2  # seconds between two batches: the read model only gives hints
Apply = Callable[[Mapping[str, CaseState], Mapping[UpdateKey, Outcome]], Awaitable[None]]
KeepPeople = Callable[[Mapping[str, Hashes | None], Mapping[str, str]], Awaitable[None]]
KeepSent = Callable[[Mapping[str, str]], Awaitable[None]]
Take = Callable[[Iterable[MessageReceived]], Awaitable[None]]


def handler(apply: Apply, keep_people: KeepPeople, keep_sent: KeepSent, take: Take) -> Handle:
    """
    The worker's handler: folds, then one write a collection; then what citizens wrote, knowing all of that.
    """

    async def handle(batch: Sequence[Delivery]) -> None:
        events = [(_key(one), None if one.is_tombstone else one.event.data) for one in batch]
        await keep_people(*fold_people(events))
        await apply(*fold(event for _, event in events if isinstance(event, Lifecycle)))
        await keep_sent(sent_in(event for _, event in events))
        await take(event for _, event in events if isinstance(event, MessageReceived))

    return handle


def _key(delivery: Delivery) -> str:
    return (delivery.key or b"").decode("utf-8", "replace")


def up_to_date(health: Health) -> bool:
    """
    Whether the read model has all of requests.lifecycle, as far as the worker knows.
    """
    ready = health.ready and health.stopped_because is None
    return ready and health.in_hand_since is None and health.details.get("lag") == 0


async def heartbeat(beat: Callable[[], Awaitable[None]], health: Health, pause: float = 1.0) -> None:
    """
    Say every second that the read model is up to date, while it is; for ever. MongoDB may be away.
    """
    while True:
        if up_to_date(health):
            with suppress(*AWAY):
                await beat()
        await asyncio.sleep(pause)


def worker(settings: IntakeSettings) -> WorkerSpec:
    """
    The worker as ``run_worker`` takes it.
    """

    @asynccontextmanager
    async def lifespan(sender: Sender, health: Health) -> AsyncIterator[Handle]:
        client, http = connect(settings.mongo), httpx.AsyncClient()
        repository = Repository(client, settings.database)
        calls = CallRepository(client, settings.database)
        files = GridFSStore(client, settings.database)
        rules = Rules(settings.secret).paced(settings.conversation_pace)
        store = ConversationRepository(client, rules, settings.database)
        conversations = Conversations(
            store=store,
            persons=calls,
            sender=sender,
            suggestions=Routing(http, settings.routing_url),
            files=Files(graph_of(settings, http), attachments_of(settings, files, repository.holders)),
            rules=rules,
            clock=system_clock,
        )

        async def keep_people(hashes: Mapping[str, Hashes | None], holders: Mapping[str, str]) -> None:
            await calls.keep_people(hashes, holders)
            await store.forget([contact for contact, found in hashes.items() if found is None])

        try:
            await repository.prepare()
            await calls.prepare_people()
            await store.prepare()
            async with background(
                lambda: heartbeat(lambda: repository.beat(system_clock()), health),
                lambda: sweep_for_ever(files, system_clock, AWAY),
                lambda: for_ever(conversations.sweep, "sweep"),
                lambda: for_ever(conversations.fetch, "files"),
            ):
                yield handler(
                    lambda cases, outcomes: repository.apply(cases, outcomes, system_clock()),
                    keep_people,
                    lambda sent: store.keep_sent(sent, system_clock()),
                    conversations.take,
                )
        finally:
            await http.aclose()
            client.close()

    read = (topics.LIFECYCLE, topics.CONTACTS, topics.MESSAGES_IN, topics.NOTIFICATIONS)
    return WorkerSpec("intake", tuple(topic.name for topic in read), lifespan, settings.worker_ops_port, apart=APART)


def graph_of(settings: IntakeSettings, http: httpx.AsyncClient) -> Graph | None:
    """
    Where WhatsApp's files are, if we have a token for them.
    """
    token = settings.whatsapp_token
    return None if token is None else Graph(http, settings.whatsapp_graph_url, token.get_secret_value())
