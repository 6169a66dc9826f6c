"""
confluent-kafka (librdkafka, in C): a batch, flush, commit.
"""

from confluent_kafka import Consumer, Producer

from tests.bench.peers.decisions import OUT, SOURCE, arguments


def main() -> None:
    """
    Run until the process is ended.
    """
    servers, decide, group = arguments()
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "enable.idempotence": True, "linger.ms": 5})
    settings = {"group.id": group, "auto.offset.reset": "latest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": servers, **settings})
    consumer.subscribe([SOURCE])
    while True:
        messages = consumer.consume(500, timeout=0.1)
        for message in messages:
            for key, value, headers in decide(message.key(), message.value(), message.headers() or ()):
                producer.produce(OUT, value, key, headers=list(headers))
            producer.poll(0)
        if messages:
            producer.flush()
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
