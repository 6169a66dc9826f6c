"""
Records that can never succeed: kept with their bytes, their headers, a reason and where they came from.
"""

from datetime import UTC, datetime
from typing import Final, Protocol

from services.common.contracts.envelope import Record, rfc3339

REASON: Final = "dlq-reason"
DETAIL: Final = "dlq-detail"
ORIGIN: Final = "dlq-origin"
AT: Final = "dlq-at"


class Delivered(Protocol):
    """
    A consumed record, as bytes.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]: ...


class TooManyDeadLetters(Exception):
    """
    Record after record is refused: something is misconfigured. The worker stops before it drains the topic.
    """


class Ceiling:
    """
    Counts dead letters in a row; one good record starts the count anew.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_a_row = 0

    def good(self) -> None:
        """
        A record was handled.
        """
        self.in_a_row = 0

    def bad(self) -> None:
        """
        A record is to become a dead letter. Raises ``TooManyDeadLetters`` past the limit.
        """
        self.in_a_row += 1
        if self.in_a_row > self.limit:
            raise TooManyDeadLetters(f"{self.limit} dead letters in a row")


def dead_letter(topic: str, delivery: Delivered, reason: Exception) -> Record:
    """
    The dead letter of a record: original key, value and headers; reason, detail, origin and time in headers.
    """
    origin = f"{delivery.topic}/{delivery.partition}/{delivery.offset}"
    kept = tuple((name, value) for name, value in delivery.headers if not name.startswith("dlq-"))
    added = (
        (REASON, type(reason).__name__.encode()),
        (DETAIL, str(reason)[:500].encode("utf-8", "replace")),
        (ORIGIN, origin.encode()),
        (AT, rfc3339(datetime.now(UTC)).encode()),
    )
    return Record(topic, delivery.key or b"", delivery.value, kept + added)
