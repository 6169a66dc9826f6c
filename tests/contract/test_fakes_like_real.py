"""
The fake publisher keeps the real one's promises.
"""

from collections.abc import Awaitable, Callable

import pytest

from services.common.contracts.envelope import Record
from services.common.kit.testing import FakePublisher
from tests.contract.publisher_contract import PublisherContract, ReadBack


class TestFakePublisher(PublisherContract):
    """
    In memory.
    """

    @pytest.fixture
    def publisher(self) -> FakePublisher:
        return FakePublisher()

    @pytest.fixture
    def read_back(self, publisher: FakePublisher) -> ReadBack:
        async def read(key: bytes) -> list[Record]:
            return [one for one in publisher.records if one.key == key]

        return read

    @pytest.fixture
    def cut_off(self, publisher: FakePublisher) -> Callable[[], Awaitable[None]]:
        async def cut() -> None:
            publisher.failing = True

        return cut
