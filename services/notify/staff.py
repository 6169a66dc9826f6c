"""
Who of the staff hears that time runs out, read from ``staff.yaml`` and checked against the catalogue.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.contracts.vocabulary import Level, NotifyVia
from services.common.contracts.yaml_file import read_yaml
from services.notify.domain import STAFF, Contact

STAFF_FILE: Final = Path(__file__).with_name("staff.yaml")


class BrokenStaff(Exception):
    """
    The staff file cannot be used; the message names the file and what is missing or unknown. Notify refuses to start.
    """


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Email = Annotated[str, Field(pattern=r"^[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+$")]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164")]


class Person(_Model):
    """
    Somebody with a mailbox. The telephone is for people who read the file: staff are written to by mail alone.
    """

    name: str | None = None
    email: Email
    phone: Phone | None = None


class Department(_Model):
    """
    A department's mailbox and head. What it lacks, the deputy mayor too, ``fallback`` (another department) has for it.
    """

    mailbox: Email | None = None
    head: Person | None = None
    fallback: str | None = None


class DeputyMayor(Person):
    """
    A deputy mayor and the departments under this office.
    """

    departments: tuple[str, ...]


class _File(_Model):
    departments: dict[str, Department]
    deputy_mayors: tuple[DeputyMayor, ...]


@dataclass(frozen=True, slots=True)
class Staff:
    """
    The people by recipient (``staff:<department>:<level>``).
    """

    people: Mapping[str, Person]

    def contact(self, recipient: str) -> Contact | None:
        """
        How this member of staff is reached, or None for a department that nobody knows.
        """
        person = self.people.get(recipient)
        if person is None:
            return None
        since = datetime(2000, 1, 1, tzinfo=UTC)
        return Contact(recipient, since, name=person.name, email=person.email, notify_via=NotifyVia.EMAIL)


def load_staff(path: Path = STAFF_FILE) -> Staff:
    """
    Read and check the file: every department of the catalogue has its mailbox, its head and its deputy mayor, or a
    fallback that has. Raises ``BrokenStaff`` naming all that is missing or unknown.
    """
    try:
        file = _File.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise BrokenStaff(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BrokenStaff(f"{path.name}: {type(error).__name__}") from error
    own, wrong = _own(file)
    people = dict(own)
    for slug in catalogue().departments:
        entry = file.departments.get(slug, Department())
        for level in Level:
            if (slug, level) in own:
                continue
            instead = own.get((entry.fallback or "", level))
            if instead is not None:
                people[slug, level] = instead
            elif entry.fallback is None:
                wrong.append(f"{slug} has no {level} and no fallback")
            else:
                wrong.append(f"{slug} has no {level}, and its fallback {entry.fallback} has none of its own")
    if wrong:
        raise BrokenStaff(f"{path.name}: {'; '.join(wrong)}")
    return Staff({f"{STAFF}{slug}:{level}": person for (slug, level), person in people.items()})


def _own(file: _File) -> tuple[dict[tuple[str, Level], Person], list[str]]:
    """
    Whom the file names for each department and level, and what is wrong with these names.
    """
    known = catalogue().departments
    found: dict[tuple[str, Level], Person] = {}
    named = [*file.departments, *(entry.fallback for entry in file.departments.values() if entry.fallback)]
    wrong = [f"unknown department {slug}" for slug in dict.fromkeys(named) if slug not in known]
    for slug, entry in file.departments.items():
        if entry.mailbox is not None:
            found[slug, Level.DEPARTMENT] = Person(email=entry.mailbox)
        if entry.head is not None:
            found[slug, Level.HEAD] = entry.head
    for deputy in file.deputy_mayors:
        for slug in deputy.departments:
            if slug not in known:
                wrong.append(f"unknown department {slug} of {deputy.email}")
            if (slug, Level.DEPUTY_MAYOR) in found:
                wrong.append(f"{slug} has two deputy mayors")
            found[slug, Level.DEPUTY_MAYOR] = deputy
    return found, wrong
