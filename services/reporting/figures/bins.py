"""
Bins of hours, so fine that few rows share one, and that sort as the hours do. Pure.

The bits of a float that is not negative sort as the float does, so their upper part is a bin whose width is a small
share of its value: here 5 bits say which power of two, 11 are left of the mantissa.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Hours = npt.NDArray[np.float32]
Bins = npt.NDArray[np.uint16]

BITS: Final = 16
_BLOCK: Final = 1 << 16
_LEFT_OUT: Final = 12  # bits of a float
_LEAST: Final = (127 - 12) << (23 - _LEFT_OUT)  # all below 2^-12 hours, a second, is one bin; the last is at 60 years


def blocks(rows: int, at_least: int = 0) -> Iterator[slice]:
    """
    All rows, a block after the other: what is worked out for one stays in the processor's cache.
    """
    size = max(_BLOCK, at_least)
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def bins_of(hours: Hours) -> Bins:
    """
    The bin of each; NaN is no hours, which is the last bin, and what is below 0, by clocks that differ, is 0.
    """
    found = np.empty(len(hours), np.uint16)
    for part in blocks(len(hours)):
        places = (np.maximum(hours[part], np.float32(0)).view(np.int32) & 0x7FFFFFFF) >> _LEFT_OUT
        found[part] = np.clip(places - _LEAST, 0, (1 << BITS) - 1)
    return found
