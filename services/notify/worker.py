"""
Notify's worker: what it reads, what runs beside, and what it is made of.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from services.common.contracts.topics import CALLS, CONTACTS, LIFECYCLE, MESSAGES_IN, MESSAGES_OUT
from services.common.contracts.vocabulary import NotifyVia
from services.common.kit import mongo
from services.common.kit.health import Health
from services.common.kit.retry import within_budget
from services.common.kit.worker import Handle, WorkerSpec, background
from services.common.kit.worker import Sender as Kafka
from services.notify.channels.base import Sender
from services.notify.channels.http import new_client
from services.notify.digests import digests_of
from services.notify.handler import GROUP, Notifier
from services.notify.partners import Partner
from services.notify.repository import NotifyRepository
from services.notify.settings import BUDGET_SECONDS, NotifySettings
from services.notify.staff import Staff
from services.notify.templates import Templates
from services.notify.watching import watch

APART = 0.05  # seconds between two batches: a message may take 200 ms to its provider (design.md 9)
LARGEST_BATCH = 100  # records: they are written down 25 at a time
TOPICS = (CONTACTS, MESSAGES_IN, LIFECYCLE, CALLS, MESSAGES_OUT)
Senders = Callable[[NotifySettings, Mapping[str, Partner], httpx.AsyncClient], Mapping[NotifyVia, Sender]]


def worker_spec(
    settings: NotifySettings, templates: Templates, staff: Staff, partners: Mapping[str, Partner], senders: Senders
) -> WorkerSpec:
    """
    The worker: consumer group ``notify`` on contacts, requests.lifecycle, calls and both topics of messages.
    """

    @asynccontextmanager
    async def lifespan(kafka: Kafka, health: Health) -> AsyncIterator[Handle]:
        client = mongo.connect(settings.mongo)
        async with new_client() as http:
            out = senders(settings, partners, http)
            try:
                repository = NotifyRepository(client, settings.database)
                await within_budget(repository.prepare, BUDGET_SECONDS)
                notifier = Notifier(
                    repository,
                    kafka,
                    out,
                    templates,
                    staff,
                    settings.house,
                    settings.rules,
                    partners=frozenset(partners),
                    batch=settings.batch,
                    flights=settings.flights,
                    send_timeout=settings.send_timeout.total_seconds(),
                )
                digests = digests_of(settings, http, repository.digests, out[NotifyVia.EMAIL], templates, staff)
                more = [] if digests is None else [digests.run]
                loops = (notifier.deliver, notifier.outbox.run, notifier.follow, notifier.watch, *more)
                duties = {"due": notifier.duty, "unpublished": notifier.outbox.duty}
                async with background(*loops, lambda: watch(repository, out, health, duties)):
                    yield notifier.handle
            finally:
                for sender in out.values():
                    await sender.close()
                client.close()

    topics = tuple(topic.name for topic in TOPICS)
    return WorkerSpec(GROUP, topics, lifespan, settings.ops_port, apart=APART, largest_batch=LARGEST_BATCH)
