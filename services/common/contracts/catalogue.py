"""
The municipality's departments and services, read from ``catalogue.yaml`` beside this file.
"""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, TRIAGE_SERVICE, Priority
from services.common.contracts.yaml_file import read_yaml

_FILE = Path(__file__).with_name("catalogue.yaml")


class Department(BaseModel):
    """
    A department (müdürlük); its slug names its topic.
    """

    model_config = ConfigDict(frozen=True)
    tr: str
    en: str


class Service(BaseModel):
    """
    A service that citizens ask for: who is responsible, how urgent it is, and how long it may take.

    ``sla`` is hours to resolve on the clock ``clk``: ``cal`` runs always, ``biz`` in working hours. A service with a
    ``crisis`` is there only while that crisis is on; a request for it gets the service ``otherwise`` at other times.
    """

    model_config = ConfigDict(frozen=True)
    tr: str
    en: str
    department: str = Field(alias="dept")
    priority: Priority = Field(alias="prio")
    sla_hours: float = Field(alias="sla", gt=0)
    clock: Literal["cal", "biz"] = Field(alias="clk")
    emergency: bool = Field(default=False, alias="em")
    public: bool = Field(default=True, alias="pub")
    location_required: bool = Field(default=False, alias="loc")
    refer_to: str | None = Field(default=None, alias="alt")
    keywords: tuple[str, ...] = Field(default=(), alias="kw")
    crisis: str | None = None
    otherwise: str | None = None


class Catalogue(BaseModel):
    """
    Departments by slug and services by code; every service belongs to a known department.
    """

    model_config = ConfigDict(frozen=True)
    departments: dict[str, Department]
    services: dict[str, Service]
    first_response_hours: dict[Priority, tuple[float, Literal["cal", "biz"]]]

    @model_validator(mode="before")
    @classmethod
    def _read_priorities(cls, raw: dict[str, object]) -> dict[str, object]:
        priorities = raw.get("priorities")
        if not isinstance(priorities, dict):
            return raw
        times = {name: (_hours(row["first_response"]), row["clock"]) for name, row in priorities.items()}
        return {**raw, "first_response_hours": times}

    @model_validator(mode="after")
    def _departments_are_known(self) -> "Catalogue":
        for code, service in self.services.items():
            if service.department not in self.departments:
                raise ValueError(f"service {code}: unknown department {service.department!r}")
            instead = self.services.get(service.otherwise or "")
            if (service.crisis is None) != (service.otherwise is None) or (service.otherwise and instead is None):
                raise ValueError(f"service {code}: a crisis's service needs `crisis` and a known service `otherwise`")
            if instead is not None and instead.crisis is not None:
                raise ValueError(f"service {code}: {service.otherwise!r} is itself there in a crisis only")
        if TRIAGE_DEPARTMENT not in self.departments or TRIAGE_SERVICE not in self.services:
            raise ValueError(f"the catalogue needs {TRIAGE_DEPARTMENT!r} and {TRIAGE_SERVICE!r} for triage")
        return self


def _hours(text: str) -> float:
    return float(text[:-1]) / 60 if text.endswith("m") else float(text.removesuffix("h"))


@cache
def catalogue() -> Catalogue:
    """
    Read the catalogue once. Raises ``pydantic.ValidationError`` naming the entry if it is broken.
    """
    return Catalogue.model_validate(read_yaml(_FILE))
