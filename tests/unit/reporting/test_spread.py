"""
Quantiles and histograms of many rows, against NumPy's.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from services.reporting.figures.bins import Hours, bins_of
from services.reporting.figures.spread import EDGES, histogram_of, quantiles_of
from services.reporting.figures.tallies import Groups, all_together, crossed, groups_of

ROWS = 200_000  # several blocks
SHARES = (0, 0.25, 0.5, 0.9, 1)


def quantiles(groups: Groups, hours: Hours, shares: Sequence[float]) -> npt.NDArray[np.float64]:
    """
    Of hours as a snapshot has them: null is no hours.
    """
    return quantiles_of(groups, bins_of(hours), pl.Series(hours).fill_nan(None), shares)


@pytest.mark.parametrize("groups", [1, 7, 3_000])  # of very many groups the bins are coarser
def test_quantiles_are_exact_however_many_rows_and_groups(groups: int) -> None:
    dice = np.random.default_rng(groups)
    hours = dice.lognormal(3, 2, ROWS).astype(np.float32)
    hours[dice.random(ROWS) < 0.2] = np.nan
    codes = dice.integers(0, groups, ROWS).astype(np.uint32)

    found = quantiles(Groups([str(n) for n in range(groups)], codes), hours, SHARES)

    order = np.argsort(codes, kind="stable")
    own = np.split(hours[order].astype(np.float64), np.searchsorted(codes[order], np.arange(1, groups)))
    assert found == pytest.approx(np.array([np.nanquantile(values, SHARES) for values in own]), rel=1e-12)


def test_a_group_without_hours_has_no_quantiles_and_disturbs_no_other() -> None:
    hours = np.array([np.nan, 2, 4], np.float32)

    found = quantiles(Groups(["none", "some", "empty"], np.array([0, 1, 1], np.uint32)), hours, [0.5])

    assert found[1, 0] == 3
    assert np.isnan(found[[0, 2], 0]).all()


def test_a_bin_of_the_histogram_begins_at_its_edge() -> None:
    at = np.array(EDGES, np.float32)
    below = np.nextafter(at[1:], np.float32(0))

    counts = histogram_of(all_together(len(at) + len(below)), bins_of(np.concatenate((at, below))))

    assert counts.tolist() == [[2] * (len(EDGES) - 1) + [1]]


def test_words_and_nothing_are_groups_and_pairs_of_them_too() -> None:
    words = pl.Series(["a", None, "b", "a"], dtype=pl.Categorical)

    groups = groups_of(words)
    pairs, names = crossed(groups, groups_of(words.reverse()))

    assert [groups.names[code] for code in groups.codes] == ["a", None, "b", "a"]
    assert [names[code] for code in pairs.codes] == [("a", "a"), (None, "b"), ("b", None), ("a", "a")]
    assert groups_of(words.clear()).names == [None]
