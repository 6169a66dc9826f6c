"""
The public reads: no key, nothing personal. Bounded by what one page may hold.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.common.contracts.events import of_our_age
from services.common.contracts.ids import IllFormedId, parse_request_id
from services.common.contracts.public import PublicRequest, PublicStep
from services.common.contracts.vocabulary import Kind, Status
from services.common.kit.http import FieldError, Problem, problems
from services.reporting.projections import body_of
from services.reporting.public.shown import Near, PublicFilter, is_public, shown
from services.reporting.repository import Repository
from services.reporting.views import Places, comma_separated

MOST_ROWS = 1_000
router = APIRouter(prefix="/v1/public", tags=["public"], responses=problems(422, 503))


Moment = Annotated[AwareDatetime, AfterValidator(of_our_age)]
Number = Annotated[str, AfterValidator(parse_request_id)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]


class PublicParameters(BaseModel):
    """
    Which public requests are meant. Lists are comma separated; times inclusive, to the second. ``page_size`` 0 counts
    only.
    """

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[Number], BeforeValidator(comma_separated), Field(max_length=MOST_ROWS)] = []
    service: Annotated[list[Slug], BeforeValidator(comma_separated), Field(max_length=200)] = []
    status: Annotated[list[Status], BeforeValidator(comma_separated)] = []
    kind: Annotated[list[Kind], BeforeValidator(comma_separated)] = []
    neighbourhood: Annotated[Places, Field(max_length=100)] = []
    received_from: Moment | None = None
    received_to: Moment | None = None
    changed_from: Moment | None = None
    changed_to: Moment | None = None
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    radius: float | None = Field(default=None, gt=0, le=1_000_000, allow_inf_nan=False, description="metres")
    with_photo: bool = False
    page: int = Field(default=1, ge=1, le=100_000)
    page_size: int = Field(default=100, ge=0, le=MOST_ROWS)

    @model_validator(mode="after")
    def _a_whole_circle(self) -> "PublicParameters":
        if len({self.lat is None, self.lon is None, self.radius is None}) != 1:
            raise ValueError("lat, lon and radius belong together: give all or none")
        return self

    def filter(self) -> PublicFilter:
        """
        The filter that they name.
        """
        near = None
        if self.lat is not None and self.lon is not None and self.radius is not None:
            near = Near(self.lat, self.lon, self.radius)
        return PublicFilter(
            ids=tuple(self.ids),
            services=tuple(self.service),
            statuses=tuple(self.status),
            kinds=tuple(self.kind),
            neighbourhoods=tuple(self.neighbourhood),
            received_from=self.received_from,
            received_to=self.received_to,
            changed_from=self.changed_from,
            changed_to=self.changed_to,
            near=near,
            with_photo=self.with_photo,
        )


class StepParameters(BaseModel):
    """
    The stretch of time in which the steps happened, both ends in it.
    """

    model_config = ConfigDict(extra="forbid")
    since: Moment
    until: Moment
    limit: int = Field(default=MOST_ROWS, ge=1, le=MOST_ROWS)


class PublicList(BaseModel):
    """
    A page of public requests, newest first, and how many there are in all.
    """

    total: int
    items: list[PublicRequest]


class PublicSteps(BaseModel):
    """
    Steps of public requests, oldest first.
    """

    items: list[PublicStep]


def _store(request: Request) -> Repository:
    store: Repository = request.app.state.repository
    return store


@router.get("/requests")
async def list_public(request: Request, parameters: Annotated[PublicParameters, Query()]) -> PublicList:
    """
    Public requests that fit the filter.
    """
    wanted, size = parameters.filter(), parameters.page_size
    store = _store(request)
    total = await store.public_count(wanted)
    skipped = (parameters.page - 1) * size
    found = await store.public_page(wanted, skipped, size) if size and skipped < total else []
    return PublicList(total=total, items=[shown(document) for document in found])


@router.get("/requests/{request_id}", responses=problems(403, 404))
async def get_public(request: Request, request_id: str) -> PublicRequest:
    """
    One request. 404: no such number, or not all of it is here yet; 403: there is one, but it is not public.
    """
    try:
        canonical = parse_request_id(request_id)
    except IllFormedId as reason:
        errors = [FieldError(field="request_id", message=str(reason))]
        raise Problem(422, "This is no request number.", errors=errors) from None
    document: dict[str, Any] | None = await _store(request).request(canonical)
    if document is None or not body_of(document):  # its registration may come before what the citizen said
        raise Problem(404, "No request has this number.")
    if not is_public(document):
        raise Problem(403, "This request is not public.")
    return shown(document)


@router.get("/steps")
async def list_steps(request: Request, parameters: Annotated[StepParameters, Query()]) -> PublicSteps:
    """
    What happened to public requests in a stretch of time.
    """
    since: datetime = parameters.since
    return PublicSteps(items=await _store(request).public_steps(since, parameters.until, parameters.limit))
