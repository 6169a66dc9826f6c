"""
The publisher without a broker.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError

from services.common.contracts.envelope import Record
from services.common.kit import publisher
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.common.kit.settings import KafkaSettings


async def test_a_client_that_cannot_learn_where_a_topic_lives_is_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []

    class Producer:
        def __init__(self, **_: Any) -> None:
            self._transaction_manager = SimpleNamespace(reset_producer_id=None)

        def partitions_for(self, topic: str) -> None:
            raise KafkaTimeoutError(topic)

        def close(self, timeout: float) -> None:
            closed.append(timeout)

    monkeypatch.setattr(publisher, "KafkaProducer", Producer)
    with pytest.raises(PublishFailed):
        await KafkaPublisher(KafkaSettings(bootstrap_servers="127.0.0.1:9")).start(["requests.received"])
    assert len(closed) == 1


class Client:
    """
    A client of kafka-python as far as the publisher uses it. The first one made is broken.
    """

    made: list["Client"]

    def __init__(self, **_: Any) -> None:
        self.broken = not self.made
        self.closed = False
        self._transaction_manager = SimpleNamespace(reset_producer_id=None, has_fatal_error=lambda: self.broken)
        self.made.append(self)

    def send(self, *_: Any, **__: Any) -> Any:
        if self.broken:
            raise KafkaError("Could not execute transactional request")
        return SimpleNamespace(add_callback=lambda call: call(None), add_errback=lambda call: None)

    def close(self, timeout: float) -> None:
        self.closed = True


async def test_a_client_that_would_never_send_again_is_replaced_once_however_many_publishes_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Client.made = []
    monkeypatch.setattr(publisher, "KafkaProducer", Client)
    ours = KafkaPublisher(KafkaSettings(bootstrap_servers="127.0.0.1:9"))
    record = Record("requests.received", b"1", b"{}", ())
    failed = await asyncio.gather(*(ours.publish(record) for _ in range(3)), return_exceptions=True)
    assert {type(one) for one in failed} == {PublishFailed}
    assert ours._replacing is not None
    await ours._replacing
    await ours.publish(record)
    await ours.close()
    assert [client.closed for client in Client.made] == [True, True]
