"""
The publisher without a broker.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

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
