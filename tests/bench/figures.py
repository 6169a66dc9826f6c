"""
What a benchmark says: figures with their units, goals and peers; percentiles, ratios, and what became worse. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

Unit = Literal["/s", "ms", "s", "MB", "of 1,000"]
SLACK: Final = 0.25
"""Two runs on one machine differ by that much without anything having changed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measured number. Of ``/s`` more is better, of all else less.

    ``beside``: the name of the peer's figure of the same subject and run, of which ``value`` is put into proportion.
    """

    name: str
    value: float
    unit: Unit
    goal: float | None = None
    beside: str | None = None

    @property
    def reached(self) -> bool | None:
        """
        Whether the goal is reached; None without one.
        """
        if self.goal is None:
            return None
        return self.value >= self.goal if self.unit == "/s" else self.value <= self.goal


def percentile(values: Sequence[float], share: float) -> float:
    """
    The smallest value that so large a share (0 to 1) of all values does not exceed. Raises ``ValueError`` for none.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def spread(
    name: str,
    milliseconds: Sequence[float],
    goals: Mapping[str, float] | None = None,
    beside: str | None = None,
) -> list[Figure]:
    """
    p50, p95 and p99 of what was measured; ``goals`` by ``p50`` and so on, ``beside`` is a name given to ``spread``.
    """
    return [
        Figure(
            f"{name}, {mark}",
            percentile(milliseconds, share),
            "ms",
            (goals or {}).get(mark),
            None if beside is None else f"{beside}, {mark}",
        )
        for mark, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]


def ratio(figure: Figure, figures: Iterable[Figure]) -> float | None:
    """
    The figure as a multiple of its peer's; None without a peer, or if the peer was not measured or is nought.
    """
    peers = {one.name: one.value for one in figures}
    value = peers.get(figure.beside) if figure.beside else None
    return figure.value / value if value else None


def worse(
    now: Mapping[str, Sequence[Figure]], before: Mapping[str, Sequence[Figure]], slack: float = SLACK
) -> list[str]:
    """
    A line for each figure that is worse than before by more than ``slack``, subject by subject. With a peer in both
    runs the ratios are compared, for another machine, or a busier one, slows the peer down as well.
    """
    lines = []
    for subject, figures in now.items():
        known = {one.name: one for one in before.get(subject, ())}
        for figure in figures:
            old = known.get(figure.name)
            if old is None:
                continue
            new_ratio, old_ratio = ratio(figure, figures), ratio(old, known.values())
            if new_ratio is not None and old_ratio is not None:
                new, was, unit = new_ratio, old_ratio, " of its peer"
            else:
                new, was, unit = figure.value, old.value, figure.unit
            much_worse = new < was * (1 - slack) if figure.unit == "/s" else new > was * (1 + slack)
            if much_worse:
                lines.append(f"{subject}: {figure.name}: {shown(new)}{unit}, was {shown(was)}{unit}")
    return lines


def shown(value: float) -> str:
    """
    A number as a person reads it: three figures, thousands with commas.
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
