"""
The city's working time for whole columns of moments (milliseconds since 1970), as ``clocks.Calendar`` has it for one.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from services.common.contracts.clocks import Calendar

Moments = npt.NDArray[np.int64]
Hours = npt.NDArray[np.float64]

HOUR_MS: Final = 3_600_000


class WorkingTime:
    """
    Working hours from one day to another. Exact where offices open and close on the hour.
    """

    def __init__(self, calendar: Calendar, first: date, last: date) -> None:
        began = datetime.combine(first, time(), UTC) - timedelta(days=1)
        edges = [began + timedelta(hours=n) for n in range(((last - first).days + 3) * 24)]
        worked = [calendar.elapsed(edge, edge + timedelta(hours=1), "biz") / timedelta(hours=1) for edge in edges[:-1]]
        self._edges = np.array([int(edge.timestamp() * 1000) for edge in edges], dtype=np.float64)
        self._worked = np.concatenate([[0.0], np.cumsum(worked)])

    def between(self, since: Moments, until: Moments) -> Hours:
        """
        Working hours from each moment to the other.
        """
        gone: Hours = np.interp(until, self._edges, self._worked) - np.interp(since, self._edges, self._worked)
        return gone

    def after(self, since: Moments, hours: Hours) -> Moments:
        """
        When so many working hours have gone by; the last edge for what lies beyond it.
        """
        wanted = np.interp(since, self._edges, self._worked) + hours
        moments: Moments = np.interp(wanted, self._worked, self._edges).astype(np.int64)
        return moments
