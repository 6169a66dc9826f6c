"""
Whether a point lies in İlkadım. Pure.

The outline is drawn by hand around the district (coast, Kürtün and Mert streams, the rural south), good to about a
kilometre: no boundary of the municipality's own was given to this project. It tells a client where to report; it
refuses nothing. Replace it with the municipality's own before going live.
"""

from itertools import pairwise
from typing import Final

OUTLINE: Final = (
    (41.345, 36.300), (41.325, 36.345), (41.300, 36.368), (41.272, 36.352), (41.235, 36.345), (41.185, 36.325),
    (41.150, 36.270), (41.145, 36.190), (41.200, 36.180), (41.255, 36.225), (41.300, 36.270),
)  # fmt: skip
"""Latitude and longitude (WGS84) of its corners."""
CENTRE: Final = (41.2867, 36.33)
"""The middle of the town, to about a kilometre."""


def ours(lat: float, lon: float) -> bool:
    """
    Whether the point is within the outline: a line from it eastward crosses the outline an odd number of times.
    """
    crossed = 0
    for (lat_a, lon_a), (lat_b, lon_b) in pairwise((*OUTLINE, OUTLINE[0])):
        if (lat_a > lat) != (lat_b > lat):
            crossed += lon < lon_a + (lat - lat_a) / (lat_b - lat_a) * (lon_b - lon_a)
    return crossed % 2 == 1
