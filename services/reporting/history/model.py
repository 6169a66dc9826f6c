"""
A request as another system kept it: one event of the archive, never on Kafka. Pure.

It holds what figures, lists and maps need, and nothing that anybody wrote: no text, no address, no person.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from services.common.contracts.envelope import Metadata, Received
from services.common.contracts.events import AnyRequestId, DepartmentSlug, Event, Moment, ServiceCode, Slug
from services.common.contracts.ids import derived_id
from services.common.contracts.vocabulary import CLOSED, Channel, Kind, Outcome, Priority, Status

HISTORY: Final = "history"
"""The archive's name for where these come from, beside the names of topics."""


def millis(moment: datetime) -> datetime:
    """
    The time in UTC, as exactly as MongoDB keeps it.
    """
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


Millis = Annotated[Moment, AfterValidator(millis)]


class HistoricRequest(Event):
    """
    One request from beginning to end. ``status`` is where it stands while it is open; a closed one stands where its
    ``outcome`` says.

    ``judged``: the source itself says whether it was in time, which then stands, even None and even for an open one.
    Without it ``resolve_by`` decides, as for our own.
    """

    source: Slug
    request_id: AnyRequestId
    received_at: Millis
    channel: Channel
    kind: Kind | None = None
    department: DepartmentSlug | None = None
    service_code: ServiceCode | None = None
    neighbourhood: str | None = Field(default=None, max_length=80)
    lat: float | None = Field(default=None, ge=-90, le=90)
    lon: float | None = Field(default=None, ge=-180, le=180)
    priority: Priority = Priority.NORMAL
    emergency: bool = False
    respond_by: Millis | None = None
    resolve_by: Millis | None = None
    responded_at: Millis | None = None
    status: Status = Status.ASSIGNED
    closed_at: Millis | None = None
    outcome: Outcome | None = None
    judged: bool = False
    on_time: bool | None = None
    reopened: int = Field(default=0, ge=0)
    rating: int | None = Field(default=None, ge=1, le=5)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.closed_at is None) != (self.outcome is None):
            raise ValueError("closed_at and outcome go together")
        if self.status in CLOSED:
            raise ValueError("status is that of an open request; how it was closed is the outcome")
        if self.closed_at and self.closed_at < self.received_at:
            raise ValueError("closed_at is before received_at")
        if self.on_time is not None and not self.judged:
            raise ValueError("on_time is the source's own judgement: set judged")
        return self


def event_id_of(request_id: str) -> str:
    """
    The id of the event that a historic request of this number is; no other event has it.
    """
    return derived_id(HISTORY, request_id)


def event_of(data: HistoricRequest) -> Received:
    """
    The request as the event that the projections fold. One request of one source is one event, however often it comes.
    """
    event_id = event_id_of(data.request_id)
    meta = Metadata(event_id, data.source, data.received_at, data.request_id, event_id, "")
    return Received(HISTORY, meta, data)


def restored(value: str) -> Received:
    """
    The event of an archived value.
    """
    return event_of(HistoricRequest.model_validate_json(value))
