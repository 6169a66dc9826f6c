"""
What everybody may see of a request: the answer of reporting's ``/v1/public/…``, which intake shows on as Open311 and on
the tracking page. Readers ignore what they do not know.
"""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.common.contracts.vocabulary import Channel, Kind, Status


class PublicStep(BaseModel):
    """
    One step of a request's life. ``seq`` counts within the request, with gaps where a step is nobody else's business.
    """

    model_config = ConfigDict(frozen=True)
    request_id: str
    seq: int
    at: AwareDatetime
    status: Status
    service_code: str
    public_text: str | None


class PublicRequest(BaseModel):
    """
    A request as everybody may see it. ``text``, ``address`` and ``attributes`` are None where nobody was told that they
    are public; ``changed_at`` is the closing time of a closed request.
    """

    model_config = ConfigDict(frozen=True)
    request_id: str
    status: Status
    service_code: str
    kind: Kind | None
    channel: Channel | None
    department: str | None
    text: str | None
    address: str | None
    address_id: str | None
    neighbourhood: str | None
    lat: float | None
    lon: float | None
    attributes: dict[str, Any] | None
    public_text: str | None
    received_at: AwareDatetime
    changed_at: AwareDatetime
    closed_at: AwareDatetime | None
    due_at: AwareDatetime | None
    planned_for: AwareDatetime | None
    followers: int
    photos: tuple[str, ...]
    steps: tuple[PublicStep, ...]
