"""
Invented requests, to try figures on: a day's facts at a time, by a seed. Pure.

What a contact centre sees is imitated, not measured: mornings and Mondays, snow in winter and insects in summer, quiet
holidays, departments of different pace, a backlog. Mahalle names are İlkadım's, where they lie is made up. A day is a
function of seed, day and number of requests alone. Türkiye has had one time, UTC+3, since 2016: no day before 2017.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from math import sin
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from services.common.contracts.catalogue import Catalogue, catalogue
from services.common.contracts.clocks import Calendar
from services.common.contracts.ids import keyed_request_id
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import CLOSES_AS, Channel, DecidedBy, Kind, Outcome, Status
from services.reporting.figures.facts import SCHEMA
from services.reporting.history.working_time import HOUR_MS, Hours, Moments, WorkingTime
from services.reporting.queries import midnight

Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.object_]
Column = npt.NDArray[Any]

FIRST_DAY: Final = date(2017, 1, 1)
_LONGEST: Final = timedelta(days=400)
_WEEKDAYS: Final = (1.3, 1.15, 1.1, 1.05, 1.05, 0.75, 0.6)
_HOURS: Final = (3, 2, 1, 1, 1, 2, 4, 12, 40, 62, 66, 58, 42, 50, 56, 52, 42, 30, 22, 18, 15, 12, 8, 5)
_SEASONS: Final[Mapping[str, frozenset[int]]] = {
    "kar-buz": frozenset({12, 1, 2}),
    "duman-koku": frozenset({11, 12, 1, 2, 3}),
    "su-baskini": frozenset({10, 11, 12}),
    "yol-cukur": frozenset({2, 3, 4}),
    "hasere-ilaclama": frozenset({5, 6, 7, 8, 9}),
    "yabani-ot": frozenset({4, 5, 6, 7}),
    "ari-yilan": frozenset({5, 6, 7, 8}),
    "park-su-kacagi": frozenset({6, 7, 8}),
    "ext-su-kanal": frozenset({6, 7, 8, 9}),
    "gurultu": frozenset({6, 7, 8}),
}
_CHANNELS: Final = {
    Channel.PHONE: 46, Channel.WHATSAPP: 26, Channel.WEB: 10, Channel.EMAIL: 5, Channel.WALK_IN: 5, Channel.SMS: 3,
    Channel.PETITION: 2, Channel.OPEN311: 1.5, Channel.CIMER: 1, Channel.SOCIAL: 0.5,
}  # fmt: skip
_KINDS: Final = {
    Kind.COMPLAINT: 62, Kind.REQUEST: 26, Kind.INFORMATION: 7, Kind.SUGGESTION: 3, Kind.THANKS: 2
}  # fmt: skip
_OUTCOMES: Final = {
    Outcome.RESOLVED: 76, Outcome.PARTLY_RESOLVED: 3, Outcome.NO_ACTION_NEEDED: 4, Outcome.NOT_POSSIBLE: 4,
    Outcome.NOT_OUR_RESPONSIBILITY: 1, Outcome.INVALID: 1, Outcome.REFERRED: 5, Outcome.DUPLICATE: 4,
    Outcome.CANCELLED: 1.5, Outcome.NO_REPLY: 0.5,
}  # fmt: skip
_OPEN: Final = {
    Status.ASSIGNED: 20, Status.ACCEPTED: 18, Status.IN_PROGRESS: 38, Status.SCHEDULED: 12, Status.WAITING_CITIZEN: 7,
    Status.WAITING_EXTERNAL: 5,
}  # fmt: skip
_STANDS_STILL: Final = (Status.WAITING_CITIZEN, Status.WAITING_EXTERNAL)
_DECIDED: Final = {DecidedBy.MODEL: 48, DecidedBy.RULE: 30, DecidedBy.EXPLICIT: 12, DecidedBy.PERSON: 10}
_TOLD: Final = {("sent", None): 84, ("suppressed", "no_contact"): 11, ("suppressed", "not_wanted"): 2, ("failed", "unknown"): 3}  # fmt: skip # noqa: E501


@dataclass(frozen=True)
class Invention:
    """
    ``requests`` over the days ``first`` to ``last``, as they stood when the last one ended.
    """

    seed: int
    requests: int
    first: date
    last: date
    calendar: Calendar

    @cached_property
    def until(self) -> datetime:
        """
        When the last day ends.
        """
        return midnight(self.last + timedelta(days=1))

    @cached_property
    def _clock(self) -> WorkingTime:
        return WorkingTime(self.calendar, self.first, self.last + _LONGEST)

    def days(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """
        Each day and its facts, requests and their parts.
        """
        days = [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]
        pull = np.cumsum([self._pull(day) for day in days])
        upto = np.round(pull / pull[-1] * self.requests).astype(int)
        for day, count in zip(days, np.diff(upto, prepend=0), strict=True):
            yield day, self.day(day, int(count))

    def _pull(self, day: date) -> float:
        quiet = 1.0 if self.calendar.is_working_day(day) or day.weekday() > 4 else 0.5
        growth = 1 + 0.12 * (day - self.first).days / 365
        return _WEEKDAYS[day.weekday()] * quiet * growth * (1 + 0.1 * sin(day.timetuple().tm_yday / 58))

    def day(self, day: date, count: int) -> pl.DataFrame:
        """
        The facts of one day with so many requests.
        """
        rng = np.random.default_rng([self.seed, day.toordinal()])
        numbers = [keyed_request_id(b"invented", str(self.seed), f"{day}/{n}") for n in range(count)]
        whole = self._invented(rng, day, count)
        frame = _frame(numbers, whole)
        parts = rng.random(count) < 0.02
        return pl.concat([frame, _parts(frame.filter(pl.Series(parts)))]).sort("received_at", "request_id")

    def _invented(self, rng: np.random.Generator, day: date, count: int) -> dict[str, Column]:
        began = int(midnight(day).timestamp() * 1000)
        received = began + _drawn(rng, range(24), _HOURS, count).astype(np.int64) * HOUR_MS
        received += rng.integers(0, HOUR_MS, count)
        services, table = _services(), _table()
        which = rng.choice(len(services), count, p=_demand(day.month))
        place = rng.choice(len(NEIGHBOURHOODS), count, p=_PLACES)
        placed = rng.random(count) > 0.07
        lat, lon = (centre[place] + rng.normal(0, 0.0025, count) for centre in _CENTRES)
        resolve_by = self._after(received, table.sla[which], table.working[which])
        respond_by = self._after(received, table.response[which], table.response_working[which])
        pace = table.pace[which] * rng.lognormal(0, 0.75, count)
        closed_at = self._after(received, table.sla[which] * pace, table.working[which])
        at_once = rng.random(count) < np.where(table.desk[which], 0.7, 0.04)
        closed_at = np.where(at_once, received + rng.integers(60_000, 600_000, count), closed_at)
        answer = self._after(received, table.response[which] * pace * 0.6, table.response_working[which])
        responded_at = np.minimum(answer, closed_at)
        now = int(self.until.timestamp() * 1000)
        closed = (closed_at < now) & (rng.random(count) > 0.002)
        responded = closed | (responded_at < now)
        status = _drawn(rng, tuple(_OPEN), tuple(_OPEN.values()), count)
        status = np.where(responded, status, Status.ASSIGNED)
        outcome = np.where(at_once, Outcome.RESOLVED, _drawn(rng, tuple(_OUTCOMES), tuple(_OUTCOMES.values()), count))
        reopened = np.where(closed & ~at_once, rng.choice([0, 1, 2], count, p=[0.97, 0.025, 0.005]), 0)
        on_time = closed_at <= resolve_by
        stars = np.clip(np.round(rng.normal(np.where(on_time, 4.2, 2.7), 1.0)), 1, 5)
        channel = _drawn(rng, tuple(_CHANNELS), tuple(_CHANNELS.values()), count)
        told = _drawn(rng, range(len(_TOLD)), tuple(_TOLD.values()), count).astype(int)
        told_words = np.array([word for word, _ in _TOLD], dtype=object)[told]
        reasons = np.array([reason for _, reason in _TOLD], dtype=object)[told]
        sent = told_words == "sent"
        closing = np.where(closed, np.array([CLOSES_AS[Outcome(word)].value for word in outcome], dtype=object), status)
        return {
            "day": np.full(count, np.datetime64(day)),
            "hour": (received - began) // HOUR_MS,
            "received_at": received,
            "closed_day": _only(closed, (closed_at + 3 * HOUR_MS) // (24 * HOUR_MS)),
            "closed_hour": _only(closed, (closed_at + 3 * HOUR_MS) // HOUR_MS % 24),
            "closed_at": _only(closed, closed_at),
            "channel": channel,
            "kind": np.where(
                table.desk[which], Kind.INFORMATION, _drawn(rng, tuple(_KINDS), tuple(_KINDS.values()), count)
            ),
            "service": np.array(services, dtype=object)[which],
            "neighbourhood": _only(placed, np.array(NEIGHBOURHOODS, dtype=object)[place]),
            "department": table.department[which],
            "status": closing,
            "priority": table.priority[which],
            "outcome": _only(closed, outcome),
            "decided_by": _drawn(rng, tuple(_DECIDED), tuple(_DECIDED.values()), count),
            "emergency": table.emergency[which],
            "assigned": np.full(count, fill_value=True),
            "responded": responded,
            "closed": closed,
            "paused": ~closed & np.isin(status.astype(str), _STANDS_STILL),
            "escalated": (np.where(closed, closed_at, now) > resolve_by) & (rng.random(count) < 0.6),
            "at_first_contact": at_once,
            "on_time": _only(closed, on_time),
            "first_on_time": _only(closed, on_time | (reopened > 0)),
            "responded_on_time": _only(responded, responded_at <= respond_by),
            "closings": np.where(closed, 1 + reopened, 0),
            "reopened": reopened,
            "bounced": rng.choice([0, 1, 2], count, p=[0.95, 0.04, 0.01]),
            "followers": rng.choice([0, 1, 3], count, p=[0.96, 0.03, 0.01]),
            "rating": _only(closed & (rng.random(count) < 0.18), stars.astype(int)),
            "respond_by": respond_by,
            "resolve_by": resolve_by,
            "hours_to_respond": _only(responded, (responded_at - received) / HOUR_MS),
            "work_hours_to_respond": _only(responded, self._clock.between(received, responded_at)),
            "hours_to_close": _only(closed, (closed_at - received) / HOUR_MS),
            "work_hours_to_close": _only(closed, self._clock.between(received, closed_at)),
            "told": told_words,
            "told_reason": reasons,
            "messages_sent": np.where(sent, 1 + closed, 0),
            "messages_suppressed": np.where(told_words == "suppressed", 1 + closed, 0),
            "messages_failed": np.where(told_words == "failed", 1, 0),
            "messages_queued": np.zeros(count, dtype=int),
            "lat": _only(placed, np.round(lat, 3)),
            "lon": _only(placed, np.round(lon, 3)),
            "told_public": channel == Channel.OPEN311,
        }

    def _after(self, since: Moments, hours: Hours, working: Mask) -> Moments:
        """
        When so many hours have gone by, of the city's working time or of the calendar.
        """
        by_calendar = since + (hours * HOUR_MS).astype(np.int64)
        return np.where(working, self._clock.after(since, hours), by_calendar)


@dataclass(frozen=True)
class _Table:
    """
    The catalogue's services as columns. ``desk``: what the desk itself often answers.
    """

    department: Words
    priority: Words
    emergency: Mask
    sla: Hours
    working: Mask
    response: Hours
    response_working: Mask
    desk: Mask
    pace: Hours

    @classmethod
    def of(cls, known: Catalogue) -> "_Table":
        services = [known.services[code] for code in _services()]
        slugs = sorted(known.departments)
        response = [known.first_response_hours[service.priority] for service in services]
        return cls(
            department=np.array([service.department for service in services], dtype=object),
            priority=np.array([service.priority.value for service in services], dtype=object),
            emergency=np.array([service.emergency for service in services]),
            sla=np.array([service.sla_hours for service in services]),
            working=np.array([service.clock == "biz" for service in services]),
            response=np.array([hours for hours, _ in response]),
            response_working=np.array([clock == "biz" for _, clock in response]),
            desk=np.array([_of_the_desk(code) for code in _services()]),
            pace=np.array([0.35 + 0.02 * slugs.index(service.department) for service in services]),
        )


@cache
def _table() -> _Table:
    return _Table.of(catalogue())


@cache
def _services() -> list[str]:
    return [code for code, service in catalogue().services.items() if service.crisis is None]


def _of_the_desk(code: str) -> bool:
    return code.endswith("-bilgi") or code in ("oneri-tesekkur", "evrak-takip", "kurs-kayit")


@cache
def _demand(month: int) -> Hours:
    """
    Each service's share of a month's requests.
    """
    seasons = [_SEASONS.get(code) for code in _services()]
    factors = [1.0 if months is None else 6.0 if month in months else 0.15 for months in seasons]
    return _shares([factor / (4 + place * 7 % 23) for place, factor in enumerate(factors)])


def _shares(weights: Sequence[float]) -> Hours:
    found: Hours = np.array(weights, dtype=float)
    found /= found.sum()
    return found


_PLACES: Final = _shares([1 / (3 + place * 11 % 61) for place in range(len(NEIGHBOURHOODS))])
_CENTRES: Final = np.random.default_rng(55).normal([[41.275], [36.335]], [[0.017], [0.022]], (2, len(NEIGHBOURHOODS)))


def _drawn(rng: np.random.Generator, values: Sequence[Any], weights: Sequence[float], count: int) -> Column:
    words: Column = np.array([str(value) if isinstance(value, str) else value for value in values], dtype=object)
    return words[rng.choice(len(words), count, p=_shares(weights))]


def _only(there: Mask, values: Column) -> Column:
    """
    The values where there are any, else None.
    """
    found: Column = values.astype(object)
    found[~there] = None
    return found


def _frame(numbers: Sequence[str], columns: Mapping[str, Column]) -> pl.DataFrame:
    count = len(numbers)
    series: dict[str, pl.Series] = {}
    for name, kind in SCHEMA.items():
        values = columns.get(name)
        if name == "request_id":
            series[name] = pl.Series(numbers, dtype=pl.String())
        elif name == "part":
            series[name] = pl.repeat(value=False, n=count, eager=True)
        elif values is None:
            series[name] = pl.Series([None] * count, dtype=kind)
        else:
            given = pl.Series(values.tolist() if values.dtype == object else values)
            series[name] = (given.cast(pl.Int32) if name == "closed_day" else given).cast(kind)
    return pl.DataFrame(series)


def _parts(parents: pl.DataFrame) -> pl.DataFrame:
    """
    Two parts of each of these requests, the second with the municipal police. A part has no day of closing.
    """
    nothing = [pl.lit(None).cast(SCHEMA[name]).alias(name) for name in ("closed_day", "closed_hour", "rating")]
    halves = [
        parents.with_columns(pl.col("request_id") + f".{n}", pl.lit(value=True).alias("part"), *nothing) for n in (1, 2)
    ]
    halves[1] = halves[1].with_columns(pl.lit("zabita").cast(SCHEMA["department"]).alias("department"))
    return pl.concat(halves)
