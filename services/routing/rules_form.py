"""
What may stand in the operators' rules: the conditions of a rule, what it gives, and the cases that must come out.
"""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.text import words
from services.common.contracts.vocabulary import Channel, Kind, Priority

ISTANBUL: Final = ZoneInfo("Europe/Istanbul")


class BrokenRules(Exception):
    """
    The rules file cannot be used; the message names the rule or the case. Routing refuses to start.
    """


@dataclass(frozen=True, slots=True)
class Question:
    """
    What a rule can look at. ``service`` is the service as decided, ``at`` (with a zone) when the request came in.

    A rule with a condition on something that is None here does not match.
    """

    text: str
    service: str | None = None
    neighbourhood: str | None = None
    channel: Channel | None = None
    kind: Kind | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError("a time needs a zone")


# --- What stands in the file ---


class Day(StrEnum):
    """
    The days of the week, Monday first.
    """

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_DAYS: Final = tuple(Day)


def _clock_time(raw: object) -> object:
    if isinstance(raw, str | time):
        return raw
    raise ValueError('a time is written in quotes, like "22:00"')  # YAML reads 22:00 without them as the number 1320


def _with_letters(phrase: str) -> str:
    if not words(phrase):
        raise ValueError(f"{phrase!r} has no letters")
    return phrase


def _known_place(place: str) -> str:
    known = neighbourhood(place)
    if known is None:
        raise ValueError(f"unknown neighbourhood {place!r}")
    return known


V = TypeVar("V")
_OneOrMany = BeforeValidator(lambda raw: raw if isinstance(raw, list | tuple) else (raw,))
Many = Annotated[tuple[V, ...], _OneOrMany]
Several = Annotated[tuple[V, ...], _OneOrMany, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Phrase = Annotated[str, Field(max_length=100), AfterValidator(_with_letters)]
Place = Annotated[str, AfterValidator(_known_place)]
ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class Part(BaseModel):
    """
    A piece of the file: an unknown field is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class When(Part):
    """
    Days and hours in Istanbul, ``to`` not included. Hours over midnight belong to the day on which they begin.
    """

    days: Several[Day] = _DAYS
    start: ClockTime | None = Field(default=None, alias="from")
    end: ClockTime | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("from and to belong together")
        if self.start is not None and self.start == self.end:
            raise ValueError("from and to are the same")
        return self

    def holds(self, at: datetime) -> bool:
        """
        Whether the moment lies in it.
        """
        local = at.astimezone(ISTANBUL)
        day, now = local.weekday(), local.time()
        if self.start is None or self.end is None:
            within = True
        elif self.start < self.end:
            within = self.start <= now < self.end
        else:
            within = now >= self.start or now < self.end
            day -= now < self.end  # the night began yesterday; -1 is Sunday
        return within and _DAYS[day] in self.days

    def __str__(self) -> str:
        days = "every day" if set(self.days) == set(_DAYS) else ", ".join(self.days)
        return days if self.start is None else f"{days} {self.start:%H:%M}-{self.end:%H:%M}"


class Rule(Part):
    """
    What both kinds of rules have: a name (recorded with each decision) and conditions.
    """

    choices: ClassVar[tuple[str, ...]] = ("neighbourhood", "channel", "kind")
    """The conditions that name values, one of which the question must have under the same name."""

    name: Name
    words: Many[Phrase] = ()
    but_not: Many[Phrase] = ()
    neighbourhood: Several[Place] | None = None
    channel: Several[Channel] | None = None
    kind: Several[Kind] | None = None
    time: When | None = None


class ServiceRule(Rule):
    """
    Gives a text its service.
    """

    words: Several[Phrase]
    service: str


class AssignmentRule(Rule):
    """
    Gives a request, whose service is known, another department than its service's, another priority, or a team.
    """

    choices: ClassVar[tuple[str, ...]] = ("service", *Rule.choices)
    service: Several[str] | None = None
    department: str | None = None
    priority: Priority | None = None
    team: Name | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.words or self.service or self.neighbourhood or self.channel or self.kind or self.time):
            raise ValueError("no condition: the rule would take every request")
        if not (self.department or self.priority or self.team):
            raise ValueError("it needs a department, a priority or a team")
        return self


class Expected(Part):
    """
    What must come out of a case; what is not named is not compared. ``service: null`` is a text that no rule matches.
    """

    service: str | None = None
    rule: str | None = None
    assignment: str | None = None
    department: str | None = None
    priority: Priority | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it expects nothing")
        return self


class RuleTest(Part):
    """
    A case: a request and what must come out. A time without a zone is Istanbul's.
    """

    text: str
    service_code: str | None = None
    channel: Channel | None = None
    neighbourhood: str | None = None
    kind: Kind | None = None
    at: datetime | None = None
    expect: Expected

    def question(self) -> Question:
        """
        The case as a question to the rules.
        """
        at = self.at.replace(tzinfo=ISTANBUL) if self.at and self.at.tzinfo is None else self.at
        return Question(self.text, self.service_code, self.neighbourhood, self.channel, self.kind, at)
