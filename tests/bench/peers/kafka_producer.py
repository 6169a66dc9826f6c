"""
kafka-python's own producer, as its documentation shows it, in this process.
"""

import time
from collections.abc import Sequence

from kafka import KafkaProducer

from services.common.contracts.envelope import Record


def _producer(servers: str, linger_ms: int) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=servers.split(","), acks="all", enable_idempotence=True, linger_ms=linger_ms)


def pipelined(servers: str, records: Sequence[Record]) -> float:
    """
    Records a second, all under way together, the last acknowledged at the end.
    """
    with _producer(servers, 1) as producer:
        producer.send(records[0].topic, key=records[0].key, value=records[0].value).get(10)
        began = time.perf_counter()
        for record in records:
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers))
        producer.flush()
        return len(records) / (time.perf_counter() - began)


def one_by_one(servers: str, records: Sequence[Record]) -> list[float]:
    """
    Milliseconds of each record, the next sent when the last is acknowledged.
    """
    found = []
    with _producer(servers, 0) as producer:
        producer.send(records[0].topic, key=records[0].key, value=records[0].value).get(10)
        for record in records:
            began = time.perf_counter()
            producer.send(record.topic, key=record.key, value=record.value, headers=list(record.headers)).get(10)
            found.append((time.perf_counter() - began) * 1000)
    return found
