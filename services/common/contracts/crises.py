"""
Crises: what changes for services and teams while one is on, read from ``crises.yaml`` beside this file.

The lesson of the Vefa teams of 2020: a crisis adds services, makes some more urgent, and sends teams from door to door.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.common.contracts.catalogue import Catalogue, catalogue
from services.common.contracts.events import CrisisDeclared
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.vocabulary import Priority
from services.common.contracts.yaml_file import read_yaml

_FILE = Path(__file__).with_name("crises.yaml")


class Team(BaseModel):
    """
    Who of a department visits which neighbourhoods for which services. No neighbourhoods: all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tr: str
    en: str
    department: str
    services: frozenset[str]
    neighbourhoods: frozenset[str] = frozenset()


class Crisis(BaseModel):
    """
    What changes while it is on. ``from`` and ``until`` switch it on by configuration (both ends optional).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    tr: str
    en: str
    priorities: dict[str, Priority] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=dict)
    starts_at: AwareDatetime | None = Field(default=None, alias="from")
    ends_at: AwareDatetime | None = Field(default=None, alias="until")

    def team_for(self, service: str, place: str | None) -> str | None:
        """
        The first team that goes to this neighbourhood (as people write it) for this service, or None.
        """
        known = neighbourhood(place) if place else None
        for name, team in self.teams.items():
            if service in team.services and (not team.neighbourhoods or known in team.neighbourhoods):
                return name
        return None


class Crises(BaseModel):
    """
    All crises that can be declared, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    crises: dict[str, Crisis]

    @model_validator(mode="after")
    def _known(self) -> "Crises":
        self.check(catalogue())
        return self

    def check(self, known: Catalogue) -> None:
        """
        Raise ``ValueError`` naming the first service, department or neighbourhood that does not exist.
        """
        for code, service in known.services.items():
            if service.crisis is not None and service.crisis not in self.crises:
                raise ValueError(f"service {code}: unknown crisis {service.crisis!r}")
        for name, crisis in self.crises.items():
            services = {*crisis.priorities, *(code for team in crisis.teams.values() for code in team.services)}
            if unknown := sorted(services - set(known.services)):
                raise ValueError(f"crisis {name}: unknown service {unknown[0]!r}")
            for slug, team in crisis.teams.items():
                if team.department not in known.departments:
                    raise ValueError(f"crisis {name}: team {slug}: unknown department {team.department!r}")
                if odd := sorted(place for place in team.neighbourhoods if neighbourhood(place) != place):
                    raise ValueError(f"crisis {name}: team {slug}: unknown neighbourhood {odd[0]!r}")


@dataclass(frozen=True, slots=True)
class Declared:
    """
    Which crises were declared for which times; what ``crises.yaml`` itself says counts for a crisis nobody declared.
    """

    latest: tuple[CrisisDeclared, ...] = ()

    @classmethod
    def of(cls, events: Iterable[CrisisDeclared]) -> "Declared":
        """
        The last word on each crisis, whatever the order of the events.
        """
        found: dict[str, CrisisDeclared] = {}
        for event in events:
            known = found.get(event.crisis)
            if known is None or (event.declared_at, event.declared_by) > (known.declared_at, known.declared_by):
                found[event.crisis] = event
        return cls(tuple(found[name] for name in sorted(found)))

    def on(self, at: datetime, known: "Crises") -> dict[str, Crisis]:
        """
        The crises that are on at a moment, by name.
        """
        declared = {event.crisis: event for event in self.latest}
        found: dict[str, Crisis] = {}
        for name, crisis in known.crises.items():
            times = declared.get(name) or crisis
            if _within(at, times.starts_at, times.ends_at):
                found[name] = crisis
        return found


def _within(at: datetime, starts: datetime | None, ends: datetime | None) -> bool:
    if starts is None and ends is None:
        return False
    return (starts is None or starts <= at) and (ends is None or at < ends)


@cache
def crises() -> Crises:
    """
    Read the crises once. Raises ``pydantic.ValidationError`` naming the entry if the file is broken.
    """
    return Crises.model_validate(read_yaml(_FILE))
