"""
Whether what was promised was kept, and whether citizens were content. Pure.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from services.reporting.figures.flags import PACKED, with_flags
from services.reporting.figures.reports import hours, satisfaction_of, share
from services.reporting.figures.selection import condition, overdue
from services.reporting.figures.spread import spread_of
from services.reporting.figures.tallies import STARS, all_together, crossed, groups_of, tally
from services.reporting.queries import Filter

Row = dict[str, Any]
SatisfactionBy = Literal["department", "service", "channel"]


def sla(frame: pl.DataFrame, filters: Filter, now: datetime) -> list[Row]:
    """
    A row for each department and priority that has work, requests and parts: how it was judged by its due times, and
    how long it took by the bins of ``spread.EDGES``.
    """
    times = ("hours_to_close", "hours_to_respond")
    columns = [pl.col("department", "priority", PACKED), overdue(now).alias("overdue"), *map(hours, times)]
    rows = with_flags(frame).lazy().filter(condition(replace(filters, parts=True), now)).select(*columns).collect()
    groups, pairs = crossed(groups_of(rows["department"]), groups_of(rows["priority"]))
    counted = tally(groups, rows[PACKED].to_numpy())
    late_now = groups.counted(rows["overdue"].to_numpy().view(np.uint8), 2)[:, 1]
    spreads = {name: spread_of(groups, rows[name].to_numpy()).histogram() for name in times}
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
    rows = frame.lazy().filter(rated).select("rating", *([by] if by else [])).collect()
    groups = groups_of(rows[by]) if by else all_together(len(rows))
    counts = groups.counted(rows["rating"].to_numpy(), len(STARS) + 1)
    found = [
        {"group": name, **satisfaction_of({star: int(counts[n, star]) for star in STARS})}
        for n, name in enumerate(groups.names)
    ]
    return sorted(found, key=lambda row: (-row["ratings"], row["group"] or ""))
