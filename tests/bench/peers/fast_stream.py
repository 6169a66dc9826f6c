"""
FastStream over aiokafka: batches in, their records under way together, acknowledged by FastStream afterwards.
"""

import asyncio

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from tests.bench.peers.decisions import OUT, SOURCE, arguments


def main() -> None:
    """
    Run until SIGTERM.
    """
    servers, decide, group = arguments()
    broker = KafkaBroker(servers, acks="all", enable_idempotence=True, logger=None)

    @broker.subscriber(
        SOURCE,
        group_id=group,
        batch=True,
        max_records=500,
        auto_offset_reset="latest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
    )
    async def route(_bodies: list[bytes], message: KafkaMessage) -> None:
        under_way = [
            await broker.publish(
                value, OUT, key=key, headers={name: raw.decode() for name, raw in headers}, no_confirm=True
            )
            for record in message.raw_message
            for key, value, headers in decide(record.key, record.value, record.headers)
        ]
        await asyncio.gather(*under_way)

    asyncio.run(FastStream(broker, logger=None).run())


if __name__ == "__main__":
    main()
