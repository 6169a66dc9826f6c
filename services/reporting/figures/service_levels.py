"""
Whether what was promised was kept, and whether citizens were content. Pure.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import polars as pl

from services.reporting.figures.flags import BINS, PACKED, with_flags
from services.reporting.figures.reports import satisfaction_of, share
from services.reporting.figures.selection import chosen, condition, late_rows, of_days
from services.reporting.figures.spread import histogram_of
from services.reporting.figures.tallies import STARS, all_together, crossed, groups_of, tally
from services.reporting.queries import Filter

Row = dict[str, Any]
SatisfactionBy = Literal["department", "service", "channel"]


def sla(frame: pl.DataFrame, filters: Filter, now: datetime) -> list[Row]:
    """
    A row for each department and priority that has work, requests and parts: how it was judged by its due times, and
    how long it took by the bins of ``spread.EDGES``.
    """
    bins = {name: BINS[name] for name in ("hours_to_close", "hours_to_respond")}
    columns = ("department", "priority", PACKED, "closed", "paused", "resolve_by", *bins.values())
    rows, mask = chosen(with_flags(of_days(frame, filters)), condition(replace(filters, parts=True), now), columns)
    groups, pairs = crossed(groups_of(rows["department"], mask), groups_of(rows["priority"]))
    counted = tally(groups, rows[PACKED])
    late_now = groups.counted_of(late_rows(rows, now))
    spreads = {name: histogram_of(groups, rows[column].to_numpy()) for name, column in bins.items()}
    found: list[Row] = []
    for n, (department, priority) in enumerate(pairs):
        if not counted.rows[n]:
            continue
        flags = {name: int(counts[n]) for name, counts in counted.flags.items()}
        judged = flags["on_time"] + flags["late"]
        first_judged = flags["first_on_time"] + flags["first_late"]
        answered = flags["responded_on_time"] + flags["responded_late"]
        found.append(
            {
                "department": department,
                "priority": priority,
                "judged": judged,
                "on_time": flags["on_time"],
                "late": flags["late"],
                "on_time_share": share(flags["on_time"], judged),
                "first_judged": first_judged,
                "first_on_time": flags["first_on_time"],
                "first_on_time_share": share(flags["first_on_time"], first_judged),
                "responded": flags["responded"],
                "responded_on_time": flags["responded_on_time"],
                "responded_late": flags["responded_late"],
                "responded_on_time_share": share(flags["responded_on_time"], answered),
                "overdue_now": int(late_now[n]),
                **{name: histogram[n].tolist() for name, histogram in spreads.items()},
            }
        )
    return sorted(found, key=lambda row: (row["department"] or "", row["priority"] or ""))


def satisfaction(frame: pl.DataFrame, filters: Filter, now: datetime, by: SatisfactionBy | None = None) -> list[Row]:
    """
    How those who rated are satisfied: one row, or one for each value that has ratings, the most ratings first.
    """
    rated = condition(filters, now) & pl.col("rating").is_not_null()
    rows = of_days(frame, filters).lazy().filter(rated).select("rating", *([by] if by else [])).collect()
    groups = groups_of(rows[by]) if by else all_together(len(rows))
    counts = groups.counted(rows["rating"].to_numpy(), len(STARS) + 1)
    found = [
        {"group": name, **satisfaction_of({star: int(counts[n, star]) for star in STARS})}
        for n, name in enumerate(groups.names)
        if by is None or counts[n].any()
    ]
    return sorted(found, key=lambda row: (-row["ratings"], row["group"] or ""))
