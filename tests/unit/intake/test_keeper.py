"""
Kafka or spool: nobody waits long, nothing overtakes, nothing is in two versions.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.common.contracts.envelope import Record
from services.common.kit import metrics
from services.common.kit.clock import system_clock
from services.common.kit.publisher import PublishFailed
from services.intake import keeper as keeper_module
from services.intake.keeper import Keeper, NowhereToKeep
from services.intake.spool import Spool
from tests.unit.intake.spools import accepted
from tests.waiting import until


class Broker:
    """
    A publisher that can hang (the record arrives all the same), fail, or fail at the n-th record.
    """

    def __init__(self) -> None:
        self.arrived: list[Record] = []
        self.asked = 0
        self.hangs = False
        self.fails = False
        self.fail_at: int | None = None

    async def publish(self, record: Record) -> None:
        self.asked += 1
        if self.fails or self.asked == self.fail_at:
            raise PublishFailed("told to fail")
        self.arrived.append(record)
        if self.hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(0)


@asynccontextmanager
async def running(broker: Broker, folder: Path, max_bytes: int = 1_000_000) -> AsyncIterator[tuple[Keeper, Spool]]:
    spool = Spool(folder, max_bytes)
    keeper = Keeper(broker, spool, system_clock)
    draining = asyncio.create_task(keeper.drain())
    await asyncio.sleep(0)
    try:
        yield keeper, spool
    finally:
        draining.cancel()
        spool.close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "_CALLER_WAITS", 0.1)
    monkeypatch.setattr(keeper_module, "_PAUSE", 0.1)


async def test_after_one_time_out_nobody_waits_and_the_same_bytes_are_published_when_kafka_is_back(
    tmp_path: Path,
) -> None:
    broker = Broker()
    broker.hangs = True
    async with running(broker, tmp_path) as (keeper, spool):
        await keeper.keep(accepted(0))
        assert (broker.asked, spool.entries) == (1, 1)
        broker.hangs, broker.fails = False, True
        asked = broker.asked
        await asyncio.gather(*(keeper.keep(accepted(number)) for number in range(1, 100)))
        assert broker.asked - asked <= 2  # the drain's own tries
        assert keeper.state()["breaker"] == "open"
        broker.fails = False
        await until(lambda: keeper.direct)
    expected = [record for number in range(100) for record in accepted(number).records]
    assert set(broker.arrived) == set(expected)
    assert len(broker.arrived) == len(expected) + 1  # the one that had arrived unknown
    assert keeper.state()["state"] == "empty"


async def test_while_something_is_in_the_spool_nothing_goes_past_it(tmp_path: Path) -> None:
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path) as (keeper, _):
        for number in range(20):
            await keeper.keep(accepted(number, key="one request"))
        broker.fails = False
        for number in range(20, 40):
            await keeper.keep(accepted(number, key="one request"))
        await until(lambda: keeper.direct)
        await keeper.keep(accepted(40, key="one request"))
    ours = [record for record in broker.arrived if record.topic == "requests.received"]
    assert ours == [accepted(number, key="one request").records[1] for number in range(41)]


async def test_before_kafka_was_ever_reached_all_goes_to_the_spool(tmp_path: Path) -> None:
    broker = Broker()
    spool = Spool(tmp_path, 1_000_000)
    keeper = Keeper(broker, spool, system_clock)
    await keeper.keep(accepted(1))
    assert (broker.asked, spool.entries) == (0, 1)
    assert keeper.able
    spool.close()


async def test_a_failure_in_the_middle_of_a_batch_lets_go_of_what_stands_before_it_alone(tmp_path: Path) -> None:
    broker = Broker()
    spool = Spool(tmp_path, 1_000_000)
    for number in range(10):
        await spool.append(accepted(number), 1.0)
    spool.close()
    broker.fail_at = 7  # the contact of the seventh, for contacts go side by side
    async with running(broker, tmp_path) as (_, spool):
        await until(lambda: not spool.entries)
    first_seen = list(dict.fromkeys(record for record in broker.arrived if record.topic == "requests.received"))
    assert sorted(first_seen, key=lambda record: record.key) == [accepted(number).records[1] for number in range(10)]
    arrived = [record.key for record in broker.arrived]
    assert arrived.count(b"r-0") == 1
    assert arrived.count(b"r-9") == 2


async def test_a_bug_while_draining_does_not_end_the_draining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path) as (keeper, spool):
        await keeper.keep(accepted(1))
        with monkeypatch.context() as broken:
            called = asyncio.Event()

            async def bug(_: int) -> None:
                called.set()
                raise KeyError

            broken.setattr(spool, "head", bug)
            await asyncio.wait_for(called.wait(), 10)
        broker.fails = False
        await until(lambda: keeper.direct)
    assert accepted(1).records[1] in broker.arrived


async def test_neither_kafka_nor_room_is_said_and_over_when_kafka_is_back(tmp_path: Path) -> None:
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path, max_bytes=900) as (keeper, spool):
        kept = 0
        with suppress(NowhereToKeep):
            while keeper.able:
                await keeper.keep(accepted(kept))
                kept += 1
        assert kept > 0
        assert not keeper.able
        assert keeper.state()["state"] == "full"
        broker.fails = False
        await until(lambda: keeper.direct and keeper.able)
        await keeper.keep(accepted("new"))
        assert spool.entries == 0
    assert len(broker.arrived) == 2 * (kept + 1)


async def test_the_metrics_follow_the_spool(tmp_path: Path) -> None:
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path) as (keeper, _):
        keeper.measure()
        await keeper.keep(accepted(1))
        text = metrics.render().decode()
        assert "\nspool_entries 1.0" in text
        assert "\nbreaker_open 1.0" in text
        assert "\nspool_bytes 0.0" not in text


@settings(max_examples=25)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=15), st.integers(1, 30))
def test_draining_keeps_the_order_of_each_request_wherever_kafka_fails(keys: list[str], fail_at: int) -> None:
    inputs = [accepted(number, key=key) for number, key in enumerate(keys)]
    broker = Broker()
    broker.fail_at = fail_at

    async def go(folder: Path) -> None:
        spool = Spool(folder, 1_000_000)
        for one in inputs:
            await spool.append(one, 1.0)
        keeper = Keeper(broker, spool, system_clock)
        while spool.entries:
            with suppress(PublishFailed):
                await keeper._drain(await spool.head(200))
        spool.close()

    with tempfile.TemporaryDirectory() as place:
        asyncio.run(go(Path(place)))
    first_seen = list(dict.fromkeys(record for record in broker.arrived if record.topic == "requests.received"))
    for key in set(keys):
        ours = [one.records[1] for one in inputs if one.records[1].key == key.encode()]
        assert [record for record in first_seen if record.key == key.encode()] == ours


async def test_a_try_that_takes_too_long_lets_go_of_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_DRAIN_WAITS", 0.2)
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path) as (keeper, spool):
        for number in range(5):
            await keeper.keep(accepted(number, key="one request"))

        async def slow(record: Record) -> None:
            broker.arrived.append(record)
            await asyncio.sleep(0.05)

        monkeypatch.setattr(broker, "publish", slow)
        await until(lambda: not spool.entries)
    assert {record for number in range(5) for record in accepted(number, key="one request").records} <= {
        *broker.arrived
    }


async def test_while_kafka_is_away_the_spool_is_tried_again_and_again_and_nobody_calls_that_stuck(
    tmp_path: Path,
) -> None:
    broker = Broker()
    broker.fails = True
    async with running(broker, tmp_path) as (keeper, spool):
        await keeper.keep(accepted(0))
        asked = broker.asked
        await until(lambda: broker.asked > asked + 2)
        assert (spool.entries, keeper.duty.unattended < 5) == (1, True)
        broker.fails = False
        await until(lambda: not spool.entries)
        await until(lambda: keeper.duty.unattended == 0)


async def test_a_spool_that_is_not_tried_any_more_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "_DRAIN_WAITS", 3_600)
    broker = Broker()
    async with running(broker, tmp_path) as (keeper, _):
        broker.hangs = True
        await keeper.keep(accepted(0))
        await until(lambda: broker.asked == 2)  # its first caller has given up, the spool's own try hangs
        await until(lambda: keeper.duty.unattended > 0.5)


async def test_the_room_of_the_spool_and_of_its_disk_can_be_watched(tmp_path: Path) -> None:
    async with running(Broker(), tmp_path, max_bytes=70_000) as (keeper, _):
        keeper.measure()
        assert REGISTRY.get_sample_value("spool_limit_bytes") == 70_000
        assert (REGISTRY.get_sample_value("disk_free_bytes", {"keeps": "spool"}) or 0) > 0
