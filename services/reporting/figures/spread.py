"""
How hours spread within groups: exact quantiles and histograms of a million rows without sorting them. Pure.

The bits of a float that is not negative sort as the float does, so their upper part is a bin whose width is a small
share of its value. Bins are counted first; only the rows of the bins in which a quantile lies are sorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.reporting.figures.tallies import Groups, Numbers, blocks

Hours = npt.NDArray[np.float32]

EDGES: Final = (0, 1, 4, 8, 24, 48, 72, 168, 336, 672, 1344, 2688)
"""Hours at which the bins of a histogram begin. Each is the beginning of a bin of bits, too."""

_FINE: Final = 18  # bits that are left out: 5 bits of the mantissa remain, 32 bins from one power of two to the next
_COARSE: Final = 23
_MANY_GROUPS: Final = 2_000
_POWERS: Final = (-13, 19)  # all below half a second is one bin; 2^19 hours are 60 years


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Hours by groups. ``bins``: for each row its bin among those of all groups. ``counts``: rows by group and bin; the
    last bin of a group is for rows without hours.
    """

    hours: Hours
    bins: npt.NDArray[np.uint32]
    counts: Numbers
    shift: int

    def quantiles(self, shares: Sequence[float]) -> npt.NDArray[np.float64]:
        """
        For each group (first axis) and share the value below which that share lies, between two rows linearly; NaN for
        a group without hours.
        """
        known = self.counts.copy()
        known[:, -1] = 0
        total, until = known.sum(axis=1), known.cumsum()
        positions = np.maximum(total - 1, 0)[:, None] * np.asarray(shares)
        ranks = np.stack((np.floor(positions), np.ceil(positions))).astype(np.intp)
        places = (total.cumsum() - total)[:, None] + ranks  # among all rows that have hours
        bins = np.searchsorted(until, places, side="right").clip(max=known.size - 1)
        if not total.any():
            return np.full(positions.shape, np.nan)
        found = self._rows_of(bins[:, total > 0])
        at = np.searchsorted(found, bins.astype(np.uint64) << 32) + places - (until - known.ravel())[bins]
        low, high = _hours_of(found[at.clip(max=len(found) - 1)])
        return np.where(total[:, None] > 0, low + (high - low) * (positions - ranks[0]), np.nan)

    def histogram(self) -> Numbers:
        """
        Rows by group and bin of ``EDGES``; the last bin has no end.
        """
        starts = _bins_of(np.asarray(EDGES, np.float32), self.shift)
        return np.add.reduceat(self.counts[:, :-1], starts, axis=1)

    def _rows_of(self, bins: Numbers) -> npt.NDArray[np.uint64]:
        """
        The rows in these bins, as numbers that sort by bin and then by hours, in order.
        """
        wanted = np.zeros(self.counts.size, np.bool_)
        wanted[bins] = True
        rows = np.concatenate([part.start + np.flatnonzero(wanted[self.bins[part]]) for part in blocks(len(self.bins))])
        found: npt.NDArray[np.uint64] = (self.bins[rows].astype(np.uint64) << 32) | self.hours[rows].view(np.uint32)
        found.sort()
        return found


def spread_of(groups: Groups, hours: Hours) -> Spread:
    """
    Count hours by groups; NaN is no hours, and what is below 0, by clocks that differ, is 0.
    """
    shift = _FINE if len(groups.names) <= _MANY_GROUPS else _COARSE
    width = _width(shift)
    hours = np.maximum(hours, np.float32(0))
    bins = np.empty(len(hours), np.uint32)
    counts = np.zeros(len(groups.names) * width, np.intp)
    for part in blocks(len(hours)):
        found = groups.codes[part].astype(np.intp) * width + _bins_of(hours[part], shift)
        counts += np.bincount(found, minlength=len(counts))
        bins[part] = found
    return Spread(hours, bins, counts.reshape(len(groups.names), width), shift)


def _width(shift: int) -> int:
    return (_POWERS[1] - _POWERS[0]) << (23 - shift)


def _bins_of(hours: Hours, shift: int) -> npt.NDArray[np.int32]:
    places = (hours.view(np.int32) >> shift) - ((127 + _POWERS[0]) << (23 - shift))
    return np.clip(places, 0, _width(shift) - 1, out=places)


def _hours_of(found: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    return (found & 0xFFFFFFFF).astype(np.uint32).view(np.float32).astype(np.float64)
