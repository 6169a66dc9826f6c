"""
The one acknowledgement loop. Everything that consumes from Kafka runs through ``run_worker``.

Faust acknowledges an event in a ``finally``, so a handler that raises loses it (deploy/decisions/0001). Here a record
is acknowledged only by the last line of the loop, in order, after its effects are safe; an error without a name stops
the process, the supervisor starts it again, and the records come back. Records are taken in batches that grow with the
backlog: one at a time when quiet, up to ``batch_size`` (or what the spec allows) when busy. A worker whose spec says
what is urgent reads far ahead, and takes what is urgent first (deploy/decisions/0007).
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import faust
from aiohttp import web
from faust.exceptions import ConsumerNotStarted
from mode.supervisors import CrashingSupervisor

from services.common.contracts.envelope import ContractError, Record
from services.common.contracts.topics import dlq_of
from services.common.kit import metrics
from services.common.kit.dead_letters import Ceiling, TooManyDeadLetters, dead_letter
from services.common.kit.delivery import Decode, Delivery, decode_delivery
from services.common.kit.errors import Rejected
from services.common.kit.fetching import MOST_BYTES, Fetches
from services.common.kit.groups import watch_lag
from services.common.kit.health import Duty, Health
from services.common.kit.heap import settle
from services.common.kit.liveness import watched
from services.common.kit.logs import logger, logging_config
from services.common.kit.ops import serve_ops
from services.common.kit.read_ahead import Pace, Portion
from services.common.kit.reader import Reader, Urgent, bounds, look
from services.common.kit.retry import within_budget
from services.common.kit.settings import KafkaSettings, LogSettings, WorkerSettings

log = logger(__name__)


class Sender:
    """
    Publishes over the worker's own producer: returns after the broker acknowledged every record.
    """

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def publish(self, records: Sequence[Record]) -> None:
        """
        Send in the given order and wait for all. Raises aiokafka's ``KafkaError`` if any was not acknowledged.
        """
        producer = self._app.producer
        under_way = [
            await producer.send(record.topic, record.key, record.value, None, None, [(k, v) for k, v in record.headers])
            for record in records
        ]
        await asyncio.gather(*under_way)
        for record in records:
            metrics.events_published_total.labels(record.topic).inc()


Handle = Callable[[Sequence[Delivery]], Awaitable[None]]
"""Handle a batch in its order. Must be idempotent. Raise ``Rejected`` only when one record was given."""

Lifespan = Callable[[Sender, Health], AbstractAsyncContextManager[Handle]]
"""Make what the handler needs, inside the running loop. A background task that fails must raise here."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """
    A worker: its consumer group (the same name for ever: a new one reads history again), its topics, its handler.

    ``urgent``: whether a decoded record goes before those that are not; asked once for each, so cheap and pure.
    ``routes``: what the loopback port answers besides health and metrics, in a thread of its own; what it does in the
    worker (``ops.IN_WORKER``) is quick, for records wait meanwhile.
    ``apart``: seconds between two batches of a steady stream. A batch costs much the same whether it has one record or
    twenty, so who need not be the first of all takes them together. ``largest_batch``: never more records in one than
    that, for a worker to which a record costs much memory and a large batch brings nothing.
    """

    group: str
    topics: tuple[str, ...]
    lifespan: Lifespan
    ops_port: int
    decode: Decode = decode_delivery
    urgent: Urgent | None = None
    routes: tuple[web.RouteDef, ...] = ()
    apart: float = 0.0
    largest_batch: int | None = None


class Loop:
    """
    Decodes what is not decoded yet, hands the batch to the handler, sends dead letters. Independent of Faust, so it is
    tested purely.
    """

    def __init__(
        self,
        handle: Handle,
        publish: Callable[[Sequence[Record]], Awaitable[None]],
        *,
        dlq: str,
        settings: WorkerSettings,
        decode: Decode = decode_delivery,
        gets_on: Callable[[], None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._publish = publish
        self._dlq = dlq
        self._budget = settings.retry_budget.total_seconds()
        self._ceiling = Ceiling(settings.max_consecutive_dead_letters)
        self._decode = decode
        self._gets_on = gets_on

    async def process(self, batch: Sequence[Delivery]) -> None:
        """
        Return when every record of the batch had its effect or stands in the dead-letter topic.
        """
        started = monotonic()
        good: list[Delivery] = []
        dead: list[tuple[Delivery, Exception]] = []
        for delivery in batch:
            if delivery.is_tombstone or delivery.received is not None:
                good.append(delivery)
                continue
            try:
                good.append(replace(delivery, received=self._decode(delivery)))
            except (ContractError, Rejected) as reason:
                self._ceiling.bad()
                dead.append((delivery, reason))
        if good:
            dead += await self._handle_or_isolate(good)
        if dead:
            letters = [dead_letter(self._dlq, delivery, reason) for delivery, reason in dead]
            await within_budget(lambda: self._publish(letters), self._budget)
            for delivery, why in dead:
                place = f"{delivery.topic}/{delivery.partition}/{delivery.offset}"
                log.warning("dead letter", origin=place, reason=str(why))
                metrics.events_handled_total.labels(delivery.topic, "dead_letter").inc()
        for delivery in good:
            metrics.events_handled_total.labels(delivery.topic, "ok").inc()
        metrics.batch_records.observe(len(batch))
        metrics.handle_seconds.observe(monotonic() - started)

    async def _handle_or_isolate(self, good: list[Delivery]) -> list[tuple[Delivery, Exception]]:
        self._gets_on()
        try:
            await within_budget(lambda: self._handle(good), self._budget)
        except Rejected as reason:
            if len(good) == 1:
                self._ceiling.bad()
                return [(good[0], reason)]
            return [pair for one in good for pair in await self._handle_or_isolate([one])]
        self._ceiling.good()
        return []


def build_app(spec: WorkerSpec, kafka: KafkaSettings, logs: LogSettings) -> faust.App:
    """
    A Faust app with the settings of style.md 2.3; the reasons stand in deploy/decisions/0001.
    """
    return faust.App(
        spec.group,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        agent_supervisor=CrashingSupervisor,
        processing_guarantee="at_least_once",
        broker_commit_interval=1.0,
        broker_commit_every=1_000,
        stream_wait_empty=True,
        stream_buffer_maxsize=1_024,
        broker_max_poll_records=500,
        consumer_max_fetch_size=MOST_BYTES,
        broker_rebalance_timeout=30.0,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=30.0,
        producer_acks=-1,
        producer_linger_ms=0,
        producer_request_timeout=8.0,
        producer_max_request_size=2_097_152,
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        store="memory://",
        datadir=str(Path(tempfile.gettempdir()) / "ilkim-faust"),  # Faust insists on a folder; nothing is put there
        web_enabled=False,
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        logging_config=logging_config(logs),
        value_serializer="raw",
        key_serializer="raw",
    )


def _assigned(app: faust.App) -> set[Any]:
    """
    The partitions that this process consumes now.
    """
    try:
        return set(app.consumer.assignment())
    except ConsumerNotStarted:
        return set()


def build_worker(spec: WorkerSpec, kafka: KafkaSettings, logs: LogSettings, settings: WorkerSettings) -> faust.App:
    """
    A Faust app with the one agent that consumes ``spec.topics``.
    """
    app = build_app(spec, kafka, logs)
    health, records = Health(), Duty("records")
    health.duties.append(records)
    for topic in spec.topics:  # from zero: of a counter that begins with 1 Prometheus sees no increase
        metrics.events_handled_total.labels(topic, "dead_letter")
    source = app.topic(*spec.topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(source, name=spec.group, concurrency=1)  # type: ignore[untyped-decorator]
    async def consume(stream: Any) -> None:
        try:
            with watched(health, settings.liveness):
                await run(stream)
        except Exception as error:
            log.error("the worker ends and is to be started again", error=_root(error))
            _end_soon()
            raise

    async def run(stream: Any) -> None:
        sender = Sender(app)
        urgent_first = spec.urgent is not None
        read_ahead, limit = bounds(settings, spec.largest_batch, urgent_first=urgent_first)
        async with (
            serve_ops(health, spec.ops_port, settings.ops_host, spec.routes),
            asyncio.TaskGroup() as background,
            spec.lifespan(sender, health) as handle,
            Reader(
                stream,
                read_ahead,
                lambda one: look(one, spec.decode, spec.urgent),
                urgent_first=urgent_first,
                gets_on=records.attempted,
            ) as reader,
        ):
            watcher = background.create_task(
                watch_lag(kafka.bootstrap_servers, spec.group, spec.topics, health, lambda: _assigned(app), records)
            )
            loop = Loop(
                handle,
                sender.publish,
                dlq=dlq_of(spec.group).name,
                settings=settings,
                decode=spec.decode,
                gets_on=health.takes,
            )
            portion = Portion(limit, settings.liveness.stuck_after / 4)
            pace, fetches = Pace(spec.apart), Fetches(app, spec.apart)
            settle()
            health.ready = True
            while batch := await reader.take(portion.size):
                health.takes()
                fetches.took()
                taken_at = monotonic()
                pace.took(taken_at, full=len(batch) == portion.size)
                try:
                    await loop.process([read.delivery for read in batch])
                except TooManyDeadLetters as reason:
                    await _stand_still(health, reason)
                await reader.ack(batch)
                health.in_hand_since = None
                records.attempted()
                portion.took(monotonic() - taken_at)
                await asyncio.sleep(pace.wait(monotonic()))
            watcher.cancel()

    return app


def _end_soon() -> None:
    """
    Give Faust five seconds to leave its group, then end the process: with the broker away it tries for a minute.
    Ending at once is always safe, nothing was acknowledged that had no effect yet.
    """
    timer = threading.Timer(5.0, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _root(error: BaseException) -> str:
    """
    The type of what was raised inside task groups; never its text, which may hold data.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


async def _stand_still(health: Health, reason: Exception) -> None:
    """
    Keep the place in the group but take nothing more, until a person looks and restarts the process.
    """
    health.stopped_because = str(reason)
    health.in_hand_since = None
    log.error("stopped: restart after looking at the dead letters", reason=str(reason))
    await asyncio.Event().wait()


def run_worker(spec: WorkerSpec, kafka: KafkaSettings, logs: LogSettings, settings: WorkerSettings) -> None:
    """
    Run until SIGTERM; exits non-zero when the handler raised something without a name.
    """
    app = build_worker(spec, kafka, logs, settings)
    worker = faust.Worker(app, loglevel=logs.level, logging_config=logging_config(logs), redirect_stdouts=False)
    worker.execute_from_commandline()


def background(*coroutines: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
    """
    Run endless coroutines beside a handler; if one fails the surrounding context fails with it.
    """

    @asynccontextmanager
    async def run() -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_endless(one)) for one in coroutines]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    return run()


async def _endless(coroutine: Callable[[], Awaitable[None]]) -> None:
    await coroutine()
    raise RuntimeError("a background task ended")


__all__ = (
    "Delivery",
    "Handle",
    "Loop",
    "Sender",
    "WorkerSpec",
    "background",
    "build_worker",
    "decode_delivery",
    "run_worker",
    "within_budget",
)
