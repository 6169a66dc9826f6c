"""
aiokafka, Faust's own client, without Faust: a batch, its records under way together, then the commit.
"""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.bench.peers.decisions import OUT, SOURCE, arguments


async def run() -> None:
    """
    Run until the process is ended.
    """
    servers, decide, group = arguments()
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(
        SOURCE, bootstrap_servers=servers, group_id=group, enable_auto_commit=False, auto_offset_reset="latest"
    )
    async with producer, consumer:
        while True:
            found = await consumer.getmany(timeout_ms=1_000, max_records=500)
            under_way = [
                await producer.send(OUT, value, key, headers=list(headers))
                for records in found.values()
                for record in records
                for key, value, headers in decide(record.key, record.value, record.headers)
            ]
            if under_way:
                await asyncio.gather(*under_way)
                await consumer.commit()


if __name__ == "__main__":
    asyncio.run(run())
