"""
How the broker answers the fetches of a worker that takes its batches apart.
"""

import asyncio
from typing import Any, Final

MOST_BYTES: Final = 262_144
"""Of each partition in one answer, all in memory while a worker is behind."""
TOGETHER_BYTES: Final = MOST_BYTES // 2
"""Less than ``MOST_BYTES``, which an answer of one partition comes near to and does not reach."""
AT_ONCE_BYTES: Final = 1
IDLE_MS: Final = 1_500  # as Faust has it
QUIET: Final = 3  # times ``apart`` without a batch


class Fetches:
    """
    In a steady stream the broker is to hold an answer back for ``apart`` seconds, or until it has ``TOGETHER_BYTES``;
    after a pause it is to answer with the first record. A fetch costs both sides the same for one record as for a
    hundred, and a process that is woken for one does it with cold caches (deploy/decisions/0015).

    aiokafka reads both values for each request that it sends; Faust has no setting for the first.
    """

    def __init__(self, app: Any, apart: float) -> None:
        self._app = app
        self._apart = apart
        self._pause: asyncio.TimerHandle | None = None

    def took(self) -> None:
        """
        A batch was taken.
        """
        if not self._apart:
            return
        if self._pause is None:
            self._ask(TOGETHER_BYTES, int(self._apart * 1000))
        else:
            self._pause.cancel()
        self._pause = asyncio.get_running_loop().call_later(QUIET * self._apart, self._paused)

    def _paused(self) -> None:
        self._pause = None
        self._ask(AT_ONCE_BYTES, IDLE_MS)

    def _ask(self, least_bytes: int, longest_ms: int) -> None:
        fetcher = self._app.consumer._thread._consumer._fetcher
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = least_bytes, longest_ms
