"""
How long things may take and who hears when they take longer, read from ``policy.yaml``.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.common.contracts.vocabulary import Level
from services.common.contracts.yaml_file import read_yaml


class BrokenPolicy(Exception):
    """
    The policy file cannot be used; the message names the entry. Routing refuses to start.
    """


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Model):
    """
    At so many times the clock's target, somebody is told or the request goes back to the desk.
    """

    at: float = Field(gt=0)
    tell: Level | None = None
    move: Literal["triage"] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> "Step":
        if (self.tell is None) == (self.move is None):
            raise ValueError("a step either tells somebody or moves the request")
        return self


class LegalStep(_Model):
    """
    So many days before the legal term ends (0: when it has ended), somebody is told.
    """

    days_before: int = Field(ge=0)
    tell: Level


Days = Annotated[int, Field(gt=0, le=365)]


class Policy(_Model):
    """
    The policy; defaults are those of the shipped file.
    """

    acceptance: tuple[Step, ...] = (
        Step(at=1, tell=Level.HEAD),
        Step(at=2, tell=Level.DEPUTY_MAYOR),
        Step(at=3, move="triage"),
    )
    resolution: tuple[Step, ...] = (
        Step(at=0.75, tell=Level.DEPARTMENT),
        Step(at=1, tell=Level.HEAD),
        Step(at=1.5, tell=Level.DEPUTY_MAYOR),
    )
    legal: tuple[LegalStep, ...] = (
        LegalStep(days_before=5, tell=Level.DEPARTMENT),
        LegalStep(days_before=2, tell=Level.HEAD),
        LegalStep(days_before=0, tell=Level.DEPUTY_MAYOR),
    )
    emergency_acceptance_minutes: float = Field(default=15, gt=0)
    triage_hours: float = Field(default=2, gt=0)
    bounces_to_triage: int = Field(default=3, gt=0)
    waiting_reminder_days: Days = 7
    waiting_ends_days: Days = 14
    reopening_days: Days = 14
    max_reopenings: int = Field(default=3, ge=0)
    max_parts: int = Field(default=10, ge=2, le=99)

    @model_validator(mode="after")
    def _in_order(self) -> "Policy":
        for name, steps in (("acceptance", self.acceptance), ("resolution", self.resolution)):
            if [step.at for step in steps] != sorted({step.at for step in steps}):
                raise ValueError(f"{name}: steps must be in order, each later than the one before")
        if any(step.move for step in (*self.resolution, *self.acceptance[:-1])):
            raise ValueError("only the last step of acceptance can move the request")
        if self.waiting_ends_days <= self.waiting_reminder_days:
            raise ValueError("waiting_ends_days: the reminder comes before the end")
        return self

    @property
    def emergency_acceptance(self) -> timedelta:
        """
        How soon a department must accept an emergency, on the calendar clock.
        """
        return timedelta(minutes=self.emergency_acceptance_minutes)


def load_policy(path: Path) -> Policy:
    """
    Read and check the policy file. Raises ``BrokenPolicy`` naming what is wrong.
    """
    try:
        return Policy.model_validate(read_yaml(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenPolicy(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BrokenPolicy(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
