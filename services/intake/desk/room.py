"""
What the desk's pages stand on, and what each of their routes is given.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.contracts.roles import Role
from services.common.kit.guard import page_person
from services.common.kit.http import Problem
from services.common.kit.people import Person
from services.intake.application import Intake
from services.intake.attachments.service import Attachments
from services.intake.desk.others import Others
from services.intake.desk.suggest import Suggestions
from services.intake.read_model import CaseState
from services.intake.schemas import TEXT_LIMIT


@dataclass(frozen=True, slots=True)
class Desk:
    """
    What the pages stand on. ``case``: intake's read model of a request; None if it has none, or cannot be read now.
    ``public_url``: without a slash at the end.
    """

    intake: Intake
    files: Attachments
    suggestions: Suggestions
    others: Others
    case: Callable[[str], Awaitable[CaseState | None]]
    public_url: str


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.parts.desk
    return desk


async def _number(request_id: str) -> str:
    try:
        return parse_any_id(request_id)
    except IllFormedId:
        raise Problem(404, "There is no such request.") from None


Operator = Annotated[Person, Depends(page_person(Role.OPERATOR))]
DeskOf = Annotated[Desk, Depends(_desk)]
NumberOf = Annotated[str, Depends(_number)]


def pages_router(route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """
    A router below ``/console``. Pages are not in the OpenAPI document.
    """
    return APIRouter(prefix="/console", tags=["desk"], include_in_schema=False, route_class=route_class)


def text_of(given: Mapping[str, object], name: str) -> str:
    """
    What was typed into a field of a form, without blanks around it and no longer than a text may be.
    """
    value = given.get(name)
    return value.strip()[:TEXT_LIMIT] if isinstance(value, str) else ""


def new_key() -> str:
    """
    A key that makes a second post of the same page have no second effect.
    """
    return f"desk-{secrets.token_hex(12)}"
