"""
How hours spread within groups: exact quantiles and histograms of a million rows without sorting them. Pure.

Rows are counted by their bins first; only the rows of the bins in which a quantile lies are sorted.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from services.reporting.figures.bins import BITS, Bins, bins_of, blocks
from services.reporting.figures.tallies import Groups, Numbers

EDGES: Final = (0, 1, 4, 8, 24, 48, 72, 168, 336, 672, 1344, 2688)
"""Hours at which the bins of a histogram begin. Each is the beginning of a bin of ``_FEWEST_BITS``, too."""

_FEWEST_BITS: Final = 9
_CELLS_BITS: Final = 14  # so many bins of all groups together stay in the processor's cache


def quantiles_of(groups: Groups, bins: Bins, hours: pl.Series, shares: Sequence[float]) -> npt.NDArray[np.float64]:
    """
    For each group (first axis) and share the value below which that share lies, between two rows linearly; NaN for a
    group without hours. ``bins`` are those of ``hours``, a column of Float32.
    """
    cells = _Cells(groups, bins)
    known = cells.counts()
    total, until = known.sum(axis=1), known.cumsum()
    positions = np.maximum(total - 1, 0)[:, None] * np.asarray(shares)
    if not total.any():
        return np.full(positions.shape, np.nan)
    ranks = np.stack((np.floor(positions), np.ceil(positions))).astype(np.intp)
    places = (total.cumsum() - total)[:, None] + ranks  # among all rows that have hours
    wanted = np.searchsorted(until, places, side="right").clip(max=known.size - 1)
    found = _in_order(cells, hours, wanted[:, total > 0])
    at = np.searchsorted(found, wanted.astype(np.uint64) << 32) + places - (until - known.ravel())[wanted]
    low, high = _hours_of(found[at.clip(max=len(found) - 1)])
    return np.where(total[:, None] > 0, low + (high - low) * (positions - ranks[0]), np.nan)


def histogram_of(groups: Groups, bins: Bins) -> Numbers:
    """
    Rows by group and bin of ``EDGES``; the last bin has no end.
    """
    coarser = BITS - _FEWEST_BITS
    counts = groups.counted(bins >> coarser, 1 << _FEWEST_BITS)
    return np.add.reduceat(counts[:, :-1], bins_of(np.asarray(EDGES, np.float32)) >> coarser, axis=1)


class _Cells:
    """
    A cell for each group and bin, and to which each row belongs. The more groups, the coarser the bins.
    """

    def __init__(self, groups: Groups, bins: Bins) -> None:
        self._bits = max(_FEWEST_BITS, min(BITS, _CELLS_BITS - len(groups.names).bit_length()))
        self._groups = len(groups.names)
        self._size = (self._groups + 1) << self._bits
        kind: type[np.unsignedinteger] = np.uint16 if self._size <= 1 << 16 else np.uint32
        self._of: npt.NDArray[np.unsignedinteger] = np.empty(len(bins), kind)
        for part in blocks(len(bins)):
            own = groups.codes[part].astype(kind)
            own <<= self._bits
            own |= bins[part] >> (BITS - self._bits)
            self._of[part] = own

    def counts(self) -> Numbers:
        """
        Rows with hours by group and bin.
        """
        found = np.zeros(self._size, np.intp)
        for part in blocks(len(self._of), at_least=self._size):
            found += np.bincount(self._of[part], minlength=self._size)
        counts = found.reshape(self._groups + 1, -1)[:-1]
        counts[:, -1] = 0
        return counts

    def of(self, rows: Numbers) -> npt.NDArray[np.unsignedinteger]:
        """
        The cells of rows.
        """
        return self._of[rows]

    def rows(self, wanted: Numbers) -> Numbers:
        """
        The rows in these cells.
        """
        asked = np.zeros(self._size, np.bool_)
        asked[wanted] = True
        return np.concatenate(
            [part.start + np.flatnonzero(asked.take(self._of[part])) for part in blocks(len(self._of))]
        )


def _in_order(cells: _Cells, hours: pl.Series, wanted: Numbers) -> npt.NDArray[np.uint64]:
    """
    The rows in these cells as numbers that sort by cell and then by hours, in order.
    """
    rows = cells.rows(wanted)
    values = np.maximum(hours.gather(rows).to_numpy(), np.float32(0))
    found: npt.NDArray[np.uint64] = (cells.of(rows).astype(np.uint64) << 32) | values.view(np.uint32)
    found.sort()
    return found


def _hours_of(found: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return (found & 0xFFFFFFFF).astype(np.uint32).view(np.float32).astype(np.float64)
