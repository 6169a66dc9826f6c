"""
Dead letters as they stand on their topic, for tests.
"""

from dataclasses import dataclass
from typing import Any

from services.common.contracts.envelope import Record, encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import RECEIVED
from services.common.kit import letters
from services.common.kit.dead_letters import dead_letter
from services.common.kit.worker import Delivery
from tests.builders import meta_of, request

R = random_request_id()
GOOD = encode(RECEIVED, meta_of(request(R)), request(R))


@dataclass
class OnTopic:
    """
    A record as a consumer gets it.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    topic: str = "routing.dlq"


def on_topic(offset: int, record: Record) -> OnTopic:
    return OnTopic(offset, record.key, record.value, list(record.headers))


def dead(offset: int = 0, topic: str = RECEIVED.name, why: str = "text: missing", **changes: Any) -> OnTopic:
    given: dict[str, Any] = {"key": GOOD.key, "value": GOOD.value, "headers": GOOD.headers} | changes
    delivery = Delivery(topic, 3, 70 + offset, given["key"], given["value"], given["headers"])
    return on_topic(offset, dead_letter("routing.dlq", delivery, ValueError(why)))


def letter(**changes: Any) -> letters.Letter:
    (one,) = letters.letters_of([dead(**changes)])
    return one
