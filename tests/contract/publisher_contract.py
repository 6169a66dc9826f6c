"""
What every publisher promises. The fake (tests/contract) and the real one (tests/integration/kit) pass the same tests.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.common.contracts.envelope import Record, encode
from services.common.contracts.ids import random_request_id
from services.common.contracts.topics import RECEIVED
from services.common.kit.publisher import Publisher, PublishFailed
from tests.builders import meta_of, request

ReadBack = Callable[[bytes], Awaitable[list[Record]]]


def record(request_id: str, text: str) -> Record:
    data = request(request_id, text=text)
    return encode(RECEIVED, meta_of(data), data)


class PublisherContract:
    """
    Subclasses give the fixtures ``publisher``, ``read_back`` (records of a key) and ``cut_off`` (makes Kafka go away).
    """

    async def test_what_was_published_stands_there_byte_for_byte(
        self, publisher: Publisher, read_back: ReadBack
    ) -> None:
        sent = record(random_request_id(), "ğüşıöçİ 😀")
        await publisher.publish(sent)
        assert await read_back(sent.key) == [sent]

    async def test_one_key_keeps_its_order(self, publisher: Publisher, read_back: ReadBack) -> None:
        number = random_request_id()
        sent = [record(number, f"metin {n}") for n in range(20)]
        for one in sent:
            await publisher.publish(one)
        assert await read_back(number.encode()) == sent

    async def test_many_at_once_all_arrive(self, publisher: Publisher, read_back: ReadBack) -> None:
        number = random_request_id()
        sent = [record(number, f"metin {n}") for n in range(200)]
        await asyncio.gather(*map(publisher.publish, sent))
        assert sorted(one.value or b"" for one in await read_back(number.encode())) == sorted(
            one.value or b"" for one in sent
        )

    async def test_it_says_so_when_nobody_acknowledges(
        self, publisher: Publisher, cut_off: Callable[[], Awaitable[None]]
    ) -> None:
        await cut_off()
        with pytest.raises(PublishFailed):
            await publisher.publish(record(random_request_id(), "metin"))
