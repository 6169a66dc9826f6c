"""
The statement of a month, counted over the facts of all requests. Pure.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

import polars as pl

from services.common.contracts.vocabulary import Status
from services.common.ui.words import Words
from services.reporting.figures.reports import OUTCOMES, SATISFIED
from services.reporting.names import Names
from services.reporting.projections import ISTANBUL
from services.reporting.statement.models import DayCount, Group, MonthNumbers, Name, Numbers, Standing, Statement
from services.reporting.statement.month import Month, Span

MONTHS_SHOWN: Final = 13
OLD: Final = timedelta(days=30)
GROUPED_BY: Final = ("channel", "department", "neighbourhood", "kind", "service")
NOWHERE: Final[Mapping[str, Words]] = {
    "channel": Words("Bilinmeyen kanal", "Unknown channel"),
    "department": Words("Henüz birimde değil", "With no department yet"),
    "neighbourhood": Words("Mahalle belirtilmemiş", "No neighbourhood given"),
    "kind": Words("Türü belirsiz", "Of no kind yet"),
    "service": Words("Henüz sınıflandırılmamış", "Not classified yet"),
}
_NEEDED: Final = (
    "part", "day", "received_at", "closed_at", *GROUPED_BY, "status", "emergency", "at_first_contact", "on_time",
    "responded_on_time", "closings", "rating", "hours_to_respond", "hours_to_close",
)  # fmt: skip

_CAME: Final = pl.col("came")
_ENDED: Final = pl.col("ended")
_ANSWERED: Final = pl.col("answered")
_OPEN: Final = pl.col("open")
_SOLVED: Final = pl.col("status") == Status.RESOLVED.value


def statement_of(
    frame: pl.DataFrame, names: Names, month: Month, now: datetime, departments: Collection[str] | None = None
) -> Statement:
    """
    The statement of a month that has begun, over a frame of ``facts.SCHEMA``. ``departments``: only what these hold.
    """
    span, earliest = Span.until(month, now), _earliest(frame)
    shown = [Span.until(month.plus(-n), now) for n in reversed(range(MONTHS_SHOWN))]
    before, year_before = span.earlier(1), span.earlier(12)
    work = _since(frame, shown[0].start, departments)
    touched = {one: _touched(work.filter(~pl.col("part")), one) for one in {*shown, before, year_before}}
    numbers = {one: Numbers(**_numbers(rows)) for one, rows in touched.items()}

    def groups(field: str) -> list[Group]:
        if field == "department":
            return _groups(_touched(work, span), _touched(work, before) if known(before) else None, field, names)
        return _groups(touched[span], touched[before] if known(before) else None, field, names)

    def known(one: Span) -> Numbers | None:
        return numbers[one] if earliest is not None and earliest < one.start + timedelta(days=1) else None

    return Statement(
        month=str(month),
        provisional=not span.whole,
        until=span.end,
        departments=None if departments is None else sorted(departments),
        numbers=numbers[span],
        previous=known(before),
        year_before=known(year_before),
        standing=_standing(touched[span]),
        months=[
            MonthNumbers(month=str(one.month), **numbers[one].model_dump())
            for one in shown
            if one == span or (earliest is not None and earliest < one.end)
        ],
        days=_days(touched[span], span),
        **{f"by_{field}": groups(field) for field in GROUPED_BY},
    )


def _earliest(frame: pl.DataFrame) -> datetime | None:
    return cast("datetime | None", frame["received_at"].min())


def _since(frame: pl.DataFrame, start: datetime, departments: Collection[str] | None) -> pl.DataFrame:
    """
    What was still open at a moment, or came in since; only what is needed of it.
    """
    rows = frame.lazy().select(_NEEDED).filter(pl.col("closed_at").is_null() | (pl.col("closed_at") >= start))
    if departments is not None:
        rows = rows.filter(pl.col("department").is_in(sorted(departments)))
    return rows.collect()


def _touched(rows: pl.DataFrame, span: Span) -> pl.DataFrame:
    """
    What came in, was answered or concluded in a span, or was open at its end; each row says which.
    """
    start, end = span.start, span.end
    answer = pl.duration(milliseconds=(pl.col("hours_to_respond").cast(pl.Float64) * 3_600_000).round())
    received, closed, answered = pl.col("received_at"), pl.col("closed_at"), pl.col("received_at") + answer

    def within(moment: pl.Expr) -> pl.Expr:
        return (moment.is_not_null() & (moment >= start) & (moment < end)).fill_null(value=False)

    return (
        rows.lazy()
        .filter((received < end) & (closed.is_null() | (closed >= start)))
        .with_columns(
            came=within(received),
            ended=within(closed),
            answered=within(answered),
            open=closed.is_null() | (closed >= end),
            old=received < end - OLD,
        )
        .collect()
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole.sum() > 0).then((part.sum() / whole.sum()).round(4))


_JUDGED: Final = _ENDED & pl.col("on_time").is_not_null()
_RATED: Final = _ENDED & pl.col("rating").is_not_null()
_OF_GROUPS: Final = {
    "received": _CAME.sum(),
    "concluded": _ENDED.sum(),
    "solved_share": _share(_ENDED & _SOLVED, _ENDED),
    "on_time_share": _share(_JUDGED & pl.col("on_time"), _JUDGED),
    "median_hours_to_close": pl.col("hours_to_close").cast(pl.Float64).filter(_ENDED).median().round(2),
    "open_at_end": _OPEN.sum(),
}
_ANSWER: Final = pl.col("hours_to_respond").cast(pl.Float64)
_PROMISED: Final = _ANSWERED & pl.col("responded_on_time").is_not_null()
_OF_MONTHS: Final = {
    **_OF_GROUPS,
    "solved": (_ENDED & _SOLVED).sum(),
    "on_time": (_JUDGED & pl.col("on_time")).sum(),
    "late": (_JUDGED & ~pl.col("on_time")).sum(),
    "median_hours_to_respond": _ANSWER.filter(_ANSWERED).median().round(2),
    "responded_on_time_share": _share(_PROMISED & pl.col("responded_on_time"), _PROMISED),
    "ratings": _RATED.sum(),
    "rating_average": pl.col("rating").filter(_RATED).mean().round(2),
    "satisfied_share": _share(_RATED & (pl.col("rating") >= SATISFIED), _RATED),
    "emergencies": (_CAME & pl.col("emergency")).sum(),
    "emergency_median_hours_to_respond": _ANSWER.filter(_ANSWERED & pl.col("emergency")).median().round(2),
    "at_first_contact": (_CAME & pl.col("at_first_contact")).sum(),
    "reopened": (_ENDED & (pl.col("closings") > 1)).sum(),
    "open_over_30_days": (_OPEN & pl.col("old")).sum(),
    **{end.value: (_ENDED & (pl.col("status") == end.value)).sum() for end in OUTCOMES},
}


def _numbers(rows: pl.DataFrame) -> dict[str, Any]:
    found = rows.select(**_OF_MONTHS).row(0, named=True)
    return {**found, "by_outcome": {end.value: found.pop(end.value) for end in OUTCOMES}}


def _groups(rows: pl.DataFrame, before: pl.DataFrame | None, field: str, names: Names) -> list[Group]:
    """
    A group for each value, what received most first.
    """
    value, all_in = pl.col(field).cast(pl.String), int(rows["came"].sum())
    earlier: dict[str | None, int] = {}
    if before is not None:
        earlier = dict(before.group_by(value).agg(_CAME.sum()).iter_rows())
    found = []
    for row in rows.group_by(value).agg(**_OF_GROUPS).iter_rows(named=True):
        of = row.pop(field)
        words = NOWHERE[field] if of is None else names.words(field, of)
        found.append(
            Group(
                value=of,
                name=Name(tr=words.tr, en=words.en),
                share=round(row["received"] / all_in, 4) if all_in else None,
                received_before=None if before is None else earlier.get(of, 0),
                **row,
            )
        )
    return sorted(found, key=lambda group: (-group.received, -group.concluded, -group.open_at_end, group.value or ""))


def _standing(rows: pl.DataFrame) -> Standing:
    """
    Of those that came in; whatever closed since is closed.
    """
    came = rows.filter(_CAME)
    closed = int(came["closed_at"].is_not_null().sum())
    resolved = int(came.select((pl.col("closed_at").is_not_null() & _SOLVED).sum()).item())
    return Standing(closed=closed, open=came.height - closed, resolved=resolved)


def _days(rows: pl.DataFrame, span: Span) -> list[DayCount]:
    """
    Every day of the span, those without anything too.
    """
    counts = dict(rows.filter(_CAME).group_by("day").len().iter_rows())
    last = min(span.month.last_day, (span.end - timedelta(milliseconds=1)).astimezone(ISTANBUL).date())
    days = (span.month.first_day + timedelta(days=n) for n in range((last - span.month.first_day).days + 1))
    return [DayCount(day=day, received=counts.get(day, 0)) for day in days]
