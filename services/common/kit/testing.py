"""
Fakes that pass the same tests as the real things (tests/contract/test_publisher.py).
"""

from collections.abc import Sequence

from services.common.contracts.envelope import Record
from services.common.kit.publisher import PublishFailed


class FakePublisher:
    """
    A publisher and sender in memory. ``failing`` makes it refuse, as Kafka does when it cannot be reached.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.failing = False

    async def publish(self, records: Record | Sequence[Record]) -> None:
        """
        Keep the records in order. Raises ``PublishFailed`` while ``failing``.
        """
        if self.failing:
            raise PublishFailed("told to fail")
        self.records += [records] if isinstance(records, Record) else list(records)

    def on(self, topic: str) -> list[Record]:
        """
        What was published to a topic, in order.
        """
        return [record for record in self.records if record.topic == topic]
