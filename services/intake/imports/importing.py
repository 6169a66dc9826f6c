"""
A run of an import: some rows at a time, each checked, then sent, and never all of them in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.kit.clock import Clock
from services.intake.imports.mapping import Draft, Fault, Mapping, draft
from services.intake.imports.rows import Row

Send = Callable[[dict[str, Any]], Awaitable[list[Fault]]]
"""Post a body; no faults: it is taken."""


@dataclass(slots=True)
class Counts:
    """
    What became of the rows so far.
    """

    rows: int = 0
    taken: int = 0
    refused: int = 0


async def only_checked(_: dict[str, Any]) -> list[Fault]:
    """
    In place of sending: nothing is sent, and nothing more found wrong.
    """
    await asyncio.sleep(0)  # a long file can be interrupted here
    return []


class Import:
    """
    Turns rows into requests by a mapping. ``tell`` hears of every row that was refused and why, ``step`` of every row.
    """

    def __init__(
        self,
        mapping: Mapping,
        clock: Clock,
        tell: Callable[[Row, str, Sequence[Fault]], None],
        step: Callable[[Counts], None],
    ) -> None:
        self.counts = Counts()
        self._mapping = mapping
        self._clock = clock
        self._tell = tell
        self._step = step

    async def run(self, rows: Iterable[Row], send: Send, at_once: int) -> None:
        """
        ``send`` what the rows hold, ``at_once`` at a time. Raises what reading or sending raised; what is under way
        then is left.
        """
        shared = iter(rows)
        workers = [asyncio.create_task(self._work(shared, send)) for _ in range(at_once)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, shared: Iterator[Row], send: Send) -> None:
        for row in shared:
            found = self._draft(row)
            faults = found.faults or await send(found.body)
            self.counts.rows += 1
            if faults:
                self.counts.refused += 1
                self._tell(row, found.external_id, faults)
            else:
                self.counts.taken += 1
            self._step(self.counts)

    def _draft(self, row: Row) -> Draft:
        if row.fault is not None:
            return Draft("", {}, [Fault("", row.fault)])
        return draft(self._mapping, row.cells, self._clock())
