"""
The question for the lag on the broker of this run.
"""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import UPDATES
from services.common.kit.groups import group_lag
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.retry import within_budget
from services.common.kit.settings import KafkaSettings

pytestmark = pytest.mark.integration


async def test_a_group_that_never_committed_is_behind_by_all_there_is_and_then_by_what_is_left(infra: Stack) -> None:
    servers = infra.env["KAFKA_BOOTSTRAP_SERVERS"]
    group = f"test-lag-{random_request_id()}"
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=servers))
    for _ in range(20):
        await publisher.publish(Record(UPDATES.name, random_request_id().encode(), b"x", ()))
    await publisher.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    probe = AIOKafkaConsumer(bootstrap_servers=servers)
    member = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    for one in (admin, probe, member):
        await one.start()
    try:
        await within_budget(lambda: admin.find_coordinator(group), 30)  # a new broker has none for a moment
        lag = await group_lag(group, (UPDATES.name,), admin, probe)
        assert len(lag) == UPDATES.partitions
        assert sum(lag.values()) >= 20

        fullest = max(lag, key=lambda place: lag[place])
        member.assign([fullest])
        end = (await probe.end_offsets([fullest]))[fullest]
        await member.commit({TopicPartition(*fullest): end - 1})
        assert await group_lag(group, (UPDATES.name,), admin, probe) == {**lag, fullest: 1}

        with pytest.raises(KafkaError):
            await group_lag(group, ("no.such.topic",), admin, probe)
    finally:
        await member.stop()
        await probe.stop()
        await admin.close()
