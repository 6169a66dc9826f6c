"""
The simulated day: what comes in, when, and what a person would make of it. See README.md beside this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from services.common.contracts.catalogue import catalogue

DAY_FILE: Final = Path(__file__).with_name("day.jsonl")
ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_DAY_SECONDS: Final = 24 * 60 * 60


def due(at: time, seconds: float) -> float:
    """
    How far into a day that is compressed into so many seconds this time of day lies.
    """
    since_midnight = (at.hour * 60 + at.minute) * 60 + at.second
    return since_midnight / _DAY_SECONDS * seconds


@dataclass(frozen=True, slots=True)
class Line:
    """
    One request of the day. ``service`` is what a person would choose; the system under demonstration never sees it.
    ``hours_ago``: it came in so long before the day and lay somewhere. ``weeks``: so long its need comes every week.
    ``again``: the name of an earlier line that tells of the same.
    """

    at: time
    service: str
    body: dict[str, Any]
    hours_ago: int = 0
    weeks: int = 0
    again: str | None = None

    @property
    def name(self) -> str:
        """
        What the line is called in every run.
        """
        return str(self.body["external_id"])

    def due(self, seconds: float) -> float:
        """
        When to post it, if the day is compressed into so many seconds.
        """
        return due(self.at, seconds)

    def body_for(self, run: str, now: datetime) -> dict[str, Any]:
        """
        The body to post. Each run has its own ids, so the day can be simulated again on the same stack.
        """
        body = {**self.body, "external_id": f"{run}-{self.name}"}
        if self.hours_ago:
            body["received_at"] = (now - timedelta(hours=self.hours_ago)).isoformat()
        if self.weeks:
            until = now.astimezone(ISTANBUL).date() + timedelta(weeks=self.weeks)
            body["repeat"] = {"every_days": 7, "until": until.isoformat()}
        return body


def read_day(rows: Iterable[bytes]) -> list[Line]:
    """
    The lines of a day file, in the order in which they are posted.
    """
    raw = [orjson.loads(row) for row in rows]
    lines = [Line(**{**row, "at": time.fromisoformat(row["at"])}) for row in raw]
    lines.sort(key=lambda line: (line.at, line.name))
    again = _alike(lines)
    return [replace(line, again=again.get(line.name)) for line in lines]


def load_day(path: Path = DAY_FILE) -> list[Line]:
    """
    The day that is kept in the project.
    """
    return read_day(path.read_bytes().splitlines())


def _alike(day: Iterable[Line]) -> dict[str, str]:
    """
    The lines that tell of what an earlier one told of already (the same service in the same neighbourhood), by name,
    and the name of the first to tell. What concerns one person alone is no such line.
    """
    first: dict[tuple[str, str], str] = {}
    found: dict[str, str] = {}
    for line in day:
        place = line.body.get("location", {}).get("neighbourhood")
        if place is None or line.hours_ago or "answered" in line.body or not catalogue().services[line.service].public:
            continue
        master = first.setdefault((line.service, place), line.name)
        if master != line.name:
            found[line.name] = master
    return found
