"""
A record as the acknowledgement loop hands it on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.contracts.envelope import ContractError, Headers, Received, decode
from services.common.contracts.topics import TOPICS_BY_NAME


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    One consumed record: its place, its bytes, and what it says once decoded.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    received: Received | None = None

    @property
    def is_tombstone(self) -> bool:
        """
        A key without a value on a topic that knows erasing: the handler of such a topic must look for it.
        """
        topic = TOPICS_BY_NAME.get(self.topic)
        return self.value is None and bool(self.key) and topic is not None and topic.tombstones

    @property
    def event(self) -> Received:
        """
        The decoded event; the loop hands on only deliveries that have one.
        """
        if self.received is None:
            raise ContractError("not decoded")
        return self.received


Decode = Callable[[Delivery], Received]


def decode_delivery(delivery: Delivery) -> Received:
    """
    Decode by the contracts. Raises ``ContractError``.
    """
    return decode(delivery.topic, delivery.key, delivery.value, delivery.headers)
