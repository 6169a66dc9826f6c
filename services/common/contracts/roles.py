"""
Who works with the system, and what each role may do. Scopes are the same words that API keys have.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT

DESK: Final = TRIAGE_DEPARTMENT  # İLKİM sits in this department: operators act in its name


class Role(StrEnum):
    """
    What a member of staff is here for. One person may have several.
    """

    OPERATOR = "operator"
    DEPARTMENT = "department"
    MANAGER = "manager"
    ADMIN = "admin"


SCOPES_OF: Final[dict[Role, frozenset[str]]] = {
    Role.OPERATOR: frozenset(
        {"requests:write", "updates:write", "reports:read", "texts:read", "contacts:read", "calls:take", "plan:preview"}
    ),
    Role.DEPARTMENT: frozenset({"updates:write", "reports:read", "texts:read", "visits:read"}),
    Role.MANAGER: frozenset({"reports:read", "texts:read", "crises:write"}),
    Role.ADMIN: frozenset({"users:write", "audit:read", "plan:preview"}),
}
SEE_EVERYTHING: Final = frozenset({Role.OPERATOR, Role.MANAGER})


def scopes_of(roles: Iterable[Role]) -> frozenset[str]:
    """
    What the roles together may do.
    """
    return frozenset().union(*(SCOPES_OF[role] for role in roles))


def departments_of(roles: Iterable[Role], departments: Iterable[str]) -> frozenset[str]:
    """
    In whose name a person acts: an operator for the desk, a clerk for their departments, others for none.
    """
    held = frozenset(roles)
    own = frozenset(departments) if Role.DEPARTMENT in held else frozenset[str]()
    return own | {DESK} if Role.OPERATOR in held else own


def limited_to(roles: Iterable[Role], departments: Iterable[str]) -> frozenset[str] | None:
    """
    Whose requests a person may see: None is everybody's; else only what these departments hold now, maybe nothing.
    """
    held = frozenset(roles)
    return None if held & SEE_EVERYTHING else departments_of(held, departments)
