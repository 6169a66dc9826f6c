"""
The answer to what would be told, with its words: what the command and the API give.
"""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.domain import Rules, State
from services.notify.messages import House
from services.notify.plan import Foreseen, foresee
from services.notify.plan_question import Question
from services.notify.staff import Staff
from services.notify.templates import Templates, template_for


class PlannedMessage(BaseModel):
    """
    One message: when it goes out, on which channel and with which words; or why it does not.
    """

    recipient: str = Field(examples=["citizen", "staff:zabita:head", "partner:muhtar-app"])
    transition: str
    send_at: AwareDatetime | None = None
    channel: NotifyVia | None = None
    template: str | None = Field(default=None, description="the file's; a partner's system gets none")
    meta_template: str | None = Field(default=None, description="on WhatsApp outside the 24 hours: what Meta approved")
    language: Language | None = None
    survey: bool = Field(default=False, description="it asks for stars")
    subject: str | None = None
    text: str | None = None
    choices: list[str] = Field(default=[], description="on WhatsApp within the 24 hours: what the reader can tap")
    data: dict[str, Any] | None = Field(default=None, description="what a partner's system gets")
    suppressed: str | None = Field(default=None, description="why nothing is sent")
    failed: str | None = Field(default=None, description="why it cannot be sent")
    superseded_by: str | None = None


class Plan(BaseModel):
    """
    All that comes of the event, in its order.
    """

    messages: list[PlannedMessage]


@dataclass(frozen=True, slots=True)
class Basis:
    """
    What an answer rests on.
    """

    rules: Rules
    staff: Staff
    templates: Templates
    house: House


def answer(question: Question, basis: Basis) -> Plan:
    """
    What would be told. Raises ``NotAsked``. Links open the page that everybody sees: whoever asks is not the citizen.
    """
    house = replace(basis.house, tracking_secret=None)
    foreseen = foresee(question, basis.rules, basis.staff)
    return Plan(messages=[_message(one, basis.templates, house) for one in foreseen])


def _message(one: Foreseen, templates: Templates, house: House) -> PlannedMessage:
    row = one.row
    planned = PlannedMessage(
        recipient="citizen" if row.for_citizen else row.recipient,
        transition=row.transition,
        superseded_by=row.superseded_by,
    )
    if one.at is None:
        return planned.model_copy(update={"failed" if row.state is State.FAILED else "suppressed": row.reason})
    message = templates.render(house, one.request_id, row, one.language)
    sent: dict[str, Any] = {"send_at": one.at, "channel": row.channel}
    if row.for_partner:
        return planned.model_copy(update=sent | {"data": message.data})
    mail = row.channel is NotifyVia.EMAIL
    call = message.template if row.channel is NotifyVia.WHATSAPP and not one.free else None
    return planned.model_copy(
        update=sent
        | {
            "template": template_for(row),
            "meta_template": call and call.name,
            "language": one.language,
            "survey": row.survey,
            "subject": message.subject if mail else None,
            "text": message.text if mail else message.short,
            "choices": [choice.title for choice in message.choices] if one.free else [],
        }
    )
