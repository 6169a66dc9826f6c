"""
The simulated day: what comes in, when, and what a person would make of it. See README.md beside this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any, Final

import orjson

DAY_FILE: Final = Path(__file__).with_name("day.jsonl")
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
    """

    at: time
    service: str
    body: dict[str, Any]

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

    def body_for(self, run: str) -> dict[str, Any]:
        """
        The body to post. Each run has its own ids, so the day can be simulated again on the same stack.
        """
        return {**self.body, "external_id": f"{run}-{self.name}"}


def read_day(rows: Iterable[bytes]) -> list[Line]:
    """
    The lines of a day file, in the order in which they are posted.
    """
    raw = [orjson.loads(row) for row in rows]
    lines = [Line(time.fromisoformat(row["at"]), row["service"], row["body"]) for row in raw]
    return sorted(lines, key=lambda line: (line.at, line.name))


def load_day(path: Path = DAY_FILE) -> list[Line]:
    """
    The day that is kept in the project.
    """
    return read_day(path.read_bytes().splitlines())
