"""
The stories of the lifecycle: what happens step by step, and what must be true after each step.

They stand in ``tests/unit/routing/stories/stories.yaml``. The tests there run each of them against routing's core; the
document shows the same data to people, so it cannot say what is not so.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deploy.stack.config import ROOT
from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import load_calendar
from services.common.contracts.vocabulary import Clock, Level, Outcome, Priority, RefusalReason, Status
from services.routing.case import Rules
from services.routing.policy import load_policy
from services.routing.rules_file import load_rules

FILE: Final = ROOT / "tests" / "unit" / "routing" / "stories" / "stories.yaml"
ISTANBUL: Final = ZoneInfo("Europe/Istanbul")


def _on_the_wall(moment: datetime) -> datetime:
    return moment.replace(tzinfo=ISTANBUL) if moment.tzinfo is None else moment


Local = Annotated[datetime, AfterValidator(_on_the_wall)]
"""A time on the city's wall clock, as ``2026-06-01 09:00``."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Model):
    """
    The same in both languages.
    """

    tr: str
    en: str


class Escalation(_Model):
    """
    Who is told that which clock runs out.
    """

    clock: Clock
    level: Level


Noted = Literal["DuplicateReceived", "NoteAdded", "ReplyReceived", "FollowerAdded"]
"""What is written down and told to nobody."""


class Expected(_Model):
    """
    What must be true of one request after a step.

    ``told`` (its citizen), ``staff``, ``noted`` and ``refused`` are the whole of what happened in the step: what is not
    named did not happen. What ``STANDING`` names holds until a later step says otherwise. The rest is looked at where
    it stands. ``reads``: words that the holder reads in this step and nobody else.
    """

    status: Status | None = None
    department: str | None = None
    service: str | None = None
    priority: Priority | None = None
    due: Local | None = None
    legal: Local | None = None
    paused: bool | None = None
    bounces: int | None = None
    accept_by: Local | None = None
    emergency: bool | None = None
    outcome: Outcome | None = None
    text: str | None = None
    question: str | None = None
    planned: Local | None = None
    referred: str | None = None
    team: str | None = None
    crisis: str | None = None
    rule: str | None = None
    master: str | None = None
    parts: int | None = None
    followers: int | None = None
    reopenings: int | None = None
    reads: str | None = None
    refused: RefusalReason | None = None
    told: tuple[str, ...] = ()
    staff: tuple[Escalation, ...] = ()
    noted: tuple[Noted, ...] = ()


STANDING: Final = ("status", "department", "service", "priority", "due", "legal", "paused", "bounces")


class Step(_Model):
    """
    One input at one time, or none: then only time passes. ``then`` says for each request what must be true.

    The inputs: a ``request`` (its fields, and ``name``, the story's name for it), an ``update`` or a ``reply`` (with
    ``of``, the name), a declared ``crisis``, ``rules`` put before the others in the rules file, ``reroute`` of a
    request, or ``again``: the last input comes once more.
    """

    at: Local
    tr: str
    en: str
    request: dict[str, Any] | None = None
    update: dict[str, Any] | None = None
    reply: dict[str, Any] | None = None
    crisis: dict[str, Any] | None = None
    rules: tuple[dict[str, Any], ...] | None = None
    reroute: str | None = None
    again: Literal[True] | None = None
    then: dict[str, Expected] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_input(self) -> "Step":
        inputs = (self.request, self.update, self.reply, self.crisis, self.rules, self.reroute, self.again)
        if sum(given is not None for given in inputs) > 1:
            raise ValueError("a step has one input or none")
        return self


class Story(_Model):
    """
    A story: its title, what each of its requests is called (the only one of a story is ``basvuru``), and its steps.
    """

    id: str
    tr: str
    en: str
    names: dict[str, Words] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)

    def name_of(self, request: str) -> Words:
        """
        What a request or a part (``ayse.2``) is called.
        """
        name, _, part = request.partition(".")
        words = self.names.get(name) or Words(tr="Başvuru", en="Request")
        return Words(tr=f"{words.tr}, {part}. parça", en=f"{words.en}, part {part}") if part else words


class Chapter(_Model):
    """
    Stories about the same thing.
    """

    tr: str
    en: str
    stories: tuple[Story, ...] = Field(min_length=1)


class _File(_Model):
    chapters: tuple[Chapter, ...]


def load_stories() -> tuple[Chapter, ...]:
    """
    All stories. Raises ``pydantic.ValidationError`` naming the one that is odd.
    """
    return _File.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8"))).chapters


def shipped_rules() -> Rules:
    """
    What routing decides by, from the files as they are shipped.
    """
    files = ROOT / "services" / "routing"
    return Rules(
        book=load_rules(files / "rules.yaml", catalogue()),
        calendar=load_calendar(),
        policy=load_policy(files / "policy.yaml"),
    )
