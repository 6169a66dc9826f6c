"""
Publishing over kafka-python from an asyncio program: a publish returns only after the broker acknowledged.
"""

import asyncio
import socket
from collections.abc import Iterable
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.producer.transaction_manager import TransactionState

from services.common.contracts.envelope import Record
from services.common.kit import metrics
from services.common.kit.errors import Retryable
from services.common.kit.hand_over import HandOver
from services.common.kit.logs import logger
from services.common.kit.settings import KafkaSettings

log = logger(__name__)


class PublishFailed(Retryable):
    """
    Kafka did not acknowledge in time. The record may still arrive: a repeat must carry the same ce_id.
    """


class Publisher(Protocol):
    """
    Takes records and returns when they are safe.
    """

    async def publish(self, record: Record) -> None:
        """
        Return after the broker acknowledged (all in-sync replicas). Raises ``PublishFailed``.
        """
        ...


def _ask_for_a_new_id_after_a_reset(producer: KafkaProducer) -> None:
    """
    Mend kafka-python 3.0.12: when a record that was sent once expires, as after a clean stop of its broker, the client
    drops its producer id, stays in the state READY and therefore never asks for another: it sends nothing any more.
    UNINITIALIZED is the state in which its sender asks.
    """
    manager = producer._transaction_manager
    reset = manager.reset_producer_id

    def reset_and_ask() -> None:
        with manager._lock:
            reset()
            manager._current_state = TransactionState.UNINITIALIZED

    manager.reset_producer_id = reset_and_ask


class KafkaPublisher:
    """
    An idempotent producer (acks=all) that does not block the event loop.

    ``request_timeout`` 5 s, ``delivery_timeout`` 8 s: a caller knows within that time. The client is made by
    ``start``, in a thread, because its constructor waits for a broker. One that holds an error for fatal (its request
    for a producer id timed out, as when a broker stands still) would never send again, so another takes its place.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._hand_over = HandOver()

    async def start(self, topics: Iterable[str] = ()) -> None:
        """
        Connect and learn where ``topics`` live. Raises ``PublishFailed`` when no broker answers.
        """
        async with self._starting:
            if self._producer is None:
                try:
                    self._producer = await asyncio.to_thread(self._connect, tuple(topics))
                except (KafkaError, OSError) as error:
                    raise PublishFailed(f"no broker answers: {type(error).__name__}") from error

    def _connect(self, topics: tuple[str, ...]) -> KafkaProducer:
        producer = KafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers.split(","),
            client_id=f"ilkim-{socket.gethostname()}",
            enable_idempotence=True,
            acks="all",
            linger_ms=0,  # what comes while a turn is handed over goes together anyway
            max_block_ms=3_000,
            request_timeout_ms=5_000,
            delivery_timeout_ms=8_000,
            bootstrap_timeout_ms=5_000,
            reconnect_backoff_max_ms=1_000,  # 30 s as it comes: too long after Kafka is back
            allow_auto_create_topics=False,
            max_request_size=2_097_152,
        )
        try:
            _ask_for_a_new_id_after_a_reset(producer)
            for topic in topics:
                producer.partitions_for(topic)
        except BaseException:  # nobody else knows of it: its thread and its connections would stay for ever
            producer.close(timeout=0)
            raise
        return producer

    @property
    def connected(self) -> bool:
        """
        Whether the client holds a connection to a broker now.
        """
        if self._producer is None:
            return False
        connections = self._producer.metrics().get("producer-metrics", {}).get("connection-count", 0)
        return bool(connections > 0)  # bootstrap_connected() of 3.0.12 is true only while it bootstraps

    async def publish(self, record: Record) -> None:
        """
        Return after the broker acknowledged. Raises ``PublishFailed``.
        """
        if self._producer is None:
            await self.start()
        producer = self._producer
        assert producer is not None  # noqa: S101 - start() made it or raised
        try:
            await self._hand_over.send(producer, record)
        except (KafkaError, OSError) as error:
            metrics.publish_failures_total.labels(record.topic).inc()
            self._replace_if_broken(producer)
            raise PublishFailed(f"{record.topic}: {type(error).__name__}") from error
        metrics.events_published_total.labels(record.topic).inc()

    def _replace_if_broken(self, producer: KafkaProducer) -> None:
        manager: Any = producer._transaction_manager
        if producer is not self._producer or not manager.has_fatal_error():
            return
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace(producer))

    async def _replace(self, broken: KafkaProducer) -> None:
        """
        Beside whoever publishes, who may give up at any time. If no broker answers, the next failure tries again.
        """
        try:
            self._producer = await asyncio.to_thread(self._connect, ())
        except (KafkaError, OSError) as error:
            log.warning("the client is broken, and no broker answers another", error=type(error).__name__)
            return
        log.warning("the client was broken: another took its place")
        await asyncio.to_thread(broken.close, timeout=0)

    async def close(self) -> None:
        """
        Wait up to 5 s for what is to be sent and up to 5 s for what is under way, then close.
        """
        if self._replacing is not None:
            await asyncio.wait({self._replacing})
        await self._hand_over.finish(5)
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close, timeout=5)
            self._producer = None
