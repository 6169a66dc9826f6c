"""
The table of what is told: ``plan_table.yaml``, read and checked, each row a question with the answer that is right.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from services.common.contracts.yaml_file import read_yaml
from services.notify.plan_question import GivenContact, History, Question
from services.notify.times import ISTANBUL

TABLE: Final = Path(__file__).with_name("plan_table.yaml")
DAY: Final = datetime(2026, 6, 1, tzinfo=ISTANBUL)  # a Monday
PARTNER: Final = "muhtar-app"
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}

Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Ago = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}[mhd]$")]
Before = Annotated[str, StringConstraints(pattern=r"^[a-z_0-9]+ (-1 )?([01][0-9]|2[0-3]):[0-5][0-9]$")]


class BrokenTable(Exception):
    """
    The table cannot be read; the message names the place and what is wrong there.
    """


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Labelled(_Model):
    """
    A thing that rows name, and what people call it.
    """

    tr: str
    en: str


class NamedContact(Labelled):
    """
    How a citizen can be reached; without ``has`` they left no contact.
    """

    has: GivenContact | None = None


class NamedEvent(Labelled):
    """
    An event as ``Question.event`` has it.
    """

    event: dict[str, Any]


class TableRow(_Model):
    """
    ``before``: earlier events, ``accepted 21:30`` (``-1``: the day before). ``told``: messages the person had today.
    ``wrote``: how long ago on WhatsApp. ``surveyed``: how long ago they were asked for stars. ``others``: how many
    other requests have the same news a little later. ``more``: fields of the event that are other than usual. ``then``:
    what becomes of it, in the words of ``plan.line``.
    """

    event: str
    contact: str
    at: Clock = "12:00"
    more: dict[str, Any] = Field(default_factory=dict)
    before: tuple[Before, ...] = ()
    told: int = 0
    wrote: Ago | None = None
    stopped: bool = False
    surveyed: Ago | None = None
    others: int = 0
    then: tuple[str, ...]


class Section(Labelled):
    """
    Rows about one thing.
    """

    rows: tuple[TableRow, ...]


class Table(_Model):
    """
    The whole table.
    """

    contacts: Mapping[str, NamedContact]
    events: Mapping[str, NamedEvent]
    sections: tuple[Section, ...]

    @model_validator(mode="after")
    def _names_are_known(self) -> "Table":
        for row in self.rows():
            for name in (row.event, *(before.partition(" ")[0] for before in row.before)):
                if name not in self.events:
                    raise ValueError(f"there is no event {name}")
            if row.contact not in self.contacts:
                raise ValueError(f"there is no contact {row.contact}")
        return self

    def rows(self) -> Iterator[TableRow]:
        """
        All rows, in their order.
        """
        for section in self.sections:
            yield from section.rows

    def question(self, row: TableRow) -> Question:
        """
        What the row asks.
        """
        now = _moment(row.at)
        return Question(
            event=self.events[row.event].event | row.more,
            contact=self.contacts[row.contact].has,
            history=History(
                events=tuple(self._before(before) for before in row.before),
                told_today=row.told,
                last_in_at=_ago(now, row.wrote),
                stopped=row.stopped,
                surveyed_at=_ago(now, row.surveyed),
                others=row.others,
            ),
            now=now,
            partners=frozenset({PARTNER}),
        )

    def _before(self, before: str) -> dict[str, Any]:
        name, _, clock = before.partition(" ")
        return self.events[name].event | {"occurred_at": _moment(clock)}


def load_table(path: Path = TABLE) -> Table:
    """
    Read and check the table. Raises ``BrokenTable``.
    """
    try:
        return Table.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise BrokenTable(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenTable(f"{path.name}: {type(error).__name__}") from error


def _moment(clock: str) -> datetime:
    """
    A time of the table's day, or of the one before.
    """
    hours, minutes = re.findall(r"[0-9]{2}", clock)
    return DAY + timedelta(days=-1 if clock.startswith("-1 ") else 0, hours=int(hours), minutes=int(minutes))


def _ago(now: datetime, ago: str | None) -> datetime | None:
    return None if ago is None else now - timedelta(**{_UNITS[ago[-1]]: int(ago[:-1])})
