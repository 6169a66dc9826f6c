"""
How records are given to a client, without a broker: many in one turn of a thread, each its own caller's.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from services.common.contracts.envelope import Record
from services.common.kit.hand_over import HandOver
from services.common.kit.publisher import KafkaPublisher
from services.common.kit.settings import KafkaSettings


class Client:
    """
    Acknowledges when it is told to. ``send`` waits for ``open``, and in vain for the topic ``unknown``.
    """

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.inside = threading.Semaphore(0)
        self.sent: list[bytes] = []
        self.waited_in_vain = 0
        self.threads: set[int] = set()
        self.acknowledge: list[Callable[[object], None]] = []
        self.closed = False

    def send(self, topic: str, *, value: bytes, key: bytes, headers: Any) -> "Client":
        self.threads.add(threading.get_ident())
        self.inside.release()
        self.open.wait()
        if topic == "unknown":
            self.waited_in_vain += 1
            raise KafkaTimeoutError(topic)
        if key == b"refused":
            raise ValueError(key)
        self.sent.append(key)
        return self

    def add_callback(self, settle: Callable[[object], None]) -> None:
        self.acknowledge.append(settle)

    def add_errback(self, _: Callable[[object], None]) -> None:
        pass

    def close(self, timeout: float) -> None:
        self.closed = True


def record(key: bytes, topic: str = "requests.received") -> Record:
    return Record(topic, key, b"{}", ())


async def under_way(hand_over: HandOver, client: Any, *records: Record) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(hand_over.send(client, one)) for one in records]
    await asyncio.sleep(0)
    return tasks


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a thread makes it true
            await asyncio.sleep(0.001)


async def a_while() -> None:
    """
    Until the loop and a free thread have done several times what they had to do.
    """
    async with asyncio.timeout(5):
        for _ in range(5):
            await asyncio.to_thread(lambda: None)


def acknowledge_all(client: Client) -> None:
    for settle in client.acknowledge:
        settle("acknowledged")


async def test_what_waits_together_is_sent_in_its_order_by_one_thread() -> None:
    client, keys = Client(), [b"%d" % number for number in range(50)]
    tasks = await under_way(HandOver(), client, *map(record, keys))
    await until(lambda: len(client.acknowledge) == 50)
    assert client.sent == keys
    assert len(client.threads) == 1
    assert not any(task.done() for task in tasks), "nobody acknowledged yet"
    acknowledge_all(client)
    await asyncio.gather(*tasks)


async def test_a_send_that_blocks_holds_one_thread_only() -> None:
    client, hand_over = Client(), HandOver()
    client.open.clear()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    tasks = await under_way(hand_over, client, record(b"0"))
    await until(lambda: client.inside.acquire(blocking=False))
    tasks += await under_way(hand_over, client, *(record(b"%d" % number) for number in range(1, 9)))
    try:
        await a_while()
        assert not client.inside.acquire(blocking=False), "a second one is inside"
    finally:
        client.open.set()
    await until(lambda: len(client.acknowledge) == 9)
    acknowledge_all(client)
    await asyncio.gather(*tasks)


async def test_only_the_caller_of_a_refused_record_hears_of_it() -> None:
    client = Client()
    before, refused, after = await under_way(HandOver(), client, *map(record, (b"1", b"refused", b"2")))
    with pytest.raises(ValueError, match="refused"):
        await refused
    await until(lambda: len(client.acknowledge) == 2)
    acknowledge_all(client)
    await asyncio.gather(before, after)
    assert client.sent == [b"1", b"2"]


async def test_a_topic_that_was_waited_for_in_vain_does_not_hold_the_turn_again() -> None:
    client = Client()
    first, other, second = await under_way(
        HandOver(), client, record(b"1", "unknown"), record(b"2"), record(b"3", "unknown")
    )
    for one in (first, second):
        with pytest.raises(KafkaTimeoutError):
            await one
    assert client.waited_in_vain == 1
    await until(lambda: client.sent == [b"2"])
    acknowledge_all(client)
    await other


async def test_a_topic_that_was_waited_for_in_vain_is_tried_again_in_the_next_turn() -> None:
    client, hand_over = Client(), HandOver()
    for _ in range(2):
        with pytest.raises(KafkaTimeoutError):
            await hand_over.send(client, record(b"1", "unknown"))
    assert client.waited_in_vain == 2


async def test_who_gave_up_while_the_client_blocked_is_not_sent_any_more() -> None:
    client, hand_over = Client(), HandOver()
    client.open.clear()
    (first,) = await under_way(hand_over, client, record(b"1"))
    await until(lambda: client.inside.acquire(blocking=False))
    second, third = await under_way(hand_over, client, record(b"2"), record(b"3"))
    second.cancel()
    await asyncio.sleep(0)
    client.open.set()
    await until(lambda: len(client.acknowledge) == 2)
    assert client.sent == [b"1", b"3"]
    acknowledge_all(client)
    await asyncio.gather(first, third)


async def test_the_acknowledgements_of_one_answer_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client, hand_over = Client(), HandOver()
    tasks = await under_way(hand_over, client, *(record(b"%d" % number) for number in range(20)))
    await hand_over.finish(20)
    loop, woken = asyncio.get_running_loop(), 0
    wake = loop.call_soon_threadsafe

    def counted(call: Callable[..., None], *more: Any) -> asyncio.Handle:
        nonlocal woken
        woken += 1
        return wake(call, *more)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    acknowledge_all(client)
    await asyncio.gather(*tasks)
    assert woken == 1


async def test_an_acknowledgement_for_who_gave_up_does_not_stop_the_others() -> None:
    client = Client()
    first, second = await under_way(HandOver(), client, record(b"1"), record(b"2"))
    await until(lambda: len(client.acknowledge) == 2)
    first.cancel()
    await asyncio.sleep(0)
    acknowledge_all(client)
    await second
    assert first.cancelled()


async def test_a_publisher_that_is_closed_hands_over_first_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.open.clear()
    monkeypatch.setattr(KafkaPublisher, "_connect", lambda _self, _topics: client)
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers="127.0.0.1:9"))
    await publisher.start()
    publishing = asyncio.create_task(publisher.publish(record(b"1")))
    await until(lambda: client.inside.acquire(blocking=False))
    closing = asyncio.create_task(publisher.close())
    try:
        await a_while()
        assert not client.closed
    finally:
        client.open.set()
    await closing
    assert (client.sent, client.closed) == ([b"1"], True)
    acknowledge_all(client)
    await publishing
