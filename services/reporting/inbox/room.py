"""
What the pages of the inbox stand on, and whom they let in.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

import httpx
from fastapi import Depends, Request

from services.common.contracts.catalogue import catalogue
from services.common.contracts.ids import IllFormedId, parse_any_id
from services.common.contracts.roles import Role
from services.common.kit.clock import Clock
from services.common.kit.guard import page_person
from services.common.kit.http import Problem
from services.common.kit.mongo import Client
from services.common.kit.people import Person
from services.common.ui.pages import Pages
from services.reporting.inbox.intake_client import IntakeClient
from services.reporting.inbox.live import Hub
from services.reporting.inbox.rows import staff_of
from services.reporting.inbox.saved import Saved
from services.reporting.projections import Document
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings

FORM_LIMIT: Final = 40_000_000  # bytes: a form with photos; scripts make them smaller before, intake takes 12 MB each
NOT_HERE: Final = "Nothing of this address is open to you."


class NamesOf(Protocol):
    """
    Knows the staff: ``people_repository.PeopleRepository``.
    """

    async def names(self, person_ids: Collection[str]) -> dict[str, str]:
        """
        The names of those that are known.
        """


@dataclass(frozen=True, slots=True)
class Room:
    """
    Everything that the routes need; made in the running loop. ``tile_url``: a map's tiles, ``https://…/{z}/{x}/{y}.png``.
    """

    repository: Repository
    people: NamesOf
    intake: IntakeClient
    hub: Hub
    saved: Saved
    pages: Pages
    clock: Clock
    tile_url: str | None = None
    tile_attribution: str = ""

    async def names(self, documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """
        The names of the staff that these documents name.
        """
        staff = staff_of(documents)
        return await self.people.names(staff) if staff else {}


def room_of(
    settings: ApiSettings, client: Client, http: httpx.AsyncClient, people: NamesOf, pages: Pages, clock: Clock
) -> Room:
    """
    The room of this process.
    """
    repository = Repository(client, settings.database)
    return Room(
        repository,
        people,
        IntakeClient(http, settings.intake_url),
        Hub(repository, clock),
        Saved(client, settings.database),
        pages,
        clock,
        settings.tile_url,
        settings.tile_attribution,
    )


async def _room(request: Request) -> Room:
    room: Room = request.app.state.inbox
    return room


RoomOf = Annotated[Room, Depends(_room)]
Staff = Annotated[Person, Depends(page_person(Role.OPERATOR, Role.DEPARTMENT, Role.MANAGER))]
Operator = Annotated[Person, Depends(page_person(Role.OPERATOR))]


@dataclass(frozen=True, slots=True)
class Place:
    """
    A department's pages, as this person sees them. A manager who is nothing else reads, and ``acts`` not.
    """

    slug: str
    person: Person
    acts: bool

    @property
    def path(self) -> str:
        """
        Where they begin.
        """
        return f"/department/{self.slug}"


def _place(slug: str, person: Person) -> Place:
    acts = slug in person.caller.departments
    if slug not in catalogue().departments or not (acts or person.has(Role.MANAGER)):
        raise Problem(404, NOT_HERE)
    return Place(slug, person, acts)


async def reading(slug: str, person: Staff) -> Place:
    """
    The department, for whoever may read there. Answers 404 for the departments of others.
    """
    return _place(slug, person)


async def acting(slug: str, person: Staff) -> Place:
    """
    The department, for whoever may act for it. Answers 403 to those who only read.
    """
    place = _place(slug, person)
    if not place.acts:
        raise Problem(403, "You read here; only the department acts.")
    return place


Reading = Annotated[Place, Depends(reading)]
Acting = Annotated[Place, Depends(acting)]


async def own_request(room: Room, place: Place, request_id: str) -> Document:
    """
    The request, if this department holds it or held it. Answers 404 for every other, known or not.
    """
    try:
        number = parse_any_id(request_id)
    except IllFormedId:
        raise Problem(404, NOT_HERE) from None
    document = await room.repository.request(number)
    if document is None or place.slug not in (document["department"], *document["held_by"]):
        raise Problem(404, NOT_HERE)
    return document
