"""
WhatsApp by Meta's Cloud API: our own words while the person wrote within 24 hours, an approved template otherwise.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx

from services.common.kit.clock import Clock, system_clock
from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.channels.cutting import cut, units
from services.notify.channels.http import Answer, ask, unclear
from services.notify.domain import Reason
from services.notify.messages import Choice, Message, TemplateCall

WINDOW_CLOSED: Final = "window_closed"
_BSUID: Final = re.compile(r"[A-Z]{2}\.[0-9A-Za-z]{1,128}")
_TEXT, _INTERACTIVE, _PARAMETER = 4_096, 1_024, 512  # characters
_BUTTONS, _BUTTON_TITLE = 3, 20
_ROWS, _ROW_TITLE, _ROW_DESCRIPTION = 10, 24, 72
_OPENS: Final = "Seçin"
_MINUTE: Final = timedelta(minutes=1)
_MENDED: Final = timedelta(minutes=5)  # how soon to look whether somebody has mended our account


@dataclass(frozen=True, slots=True)
class WhatsAppSettings:
    """
    ``url`` with Graph's version, our number's id there, and the token of a system user.
    """

    url: str
    phone_number_id: str
    token: str


# --- what is sent ---


def payload(letter: Letter) -> dict[str, Any]:
    """
    The message as Graph takes it. Raises ``PermanentError`` for an address that is none, and outside the window if the
    message has no template.
    """
    message = letter.message
    if not letter.free:
        if message.template is None:
            raise PermanentError(WINDOW_CLOSED, elsewhere=True, asked=False)
        kind, content = "template", _template(message.template)
    elif message.choices or message.asks_place:
        kind, content = "interactive", _interactive(message)
    else:
        kind, content = "text", {"body": _cut(message.short, _TEXT), "preview_url": False}
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_recipient(letter.to),
        "type": kind,
        kind: content,
        "biz_opaque_callback_data": letter.key,
    }
    if letter.answers is not None:
        body["context"] = {"message_id": letter.answers}
    return body


def _recipient(to: str) -> dict[str, str]:
    """
    A telephone number, or the business-scoped id of somebody whose number cannot be seen.
    """
    if _BSUID.fullmatch(to):
        return {"recipient": to}
    digits = to.removeprefix("+")
    if not re.fullmatch("[0-9]{5,15}", digits):
        raise PermanentError(Reason.BAD_ADDRESS, elsewhere=True, asked=False)
    return {"to": digits}


def _interactive(message: Message) -> dict[str, Any]:
    body = {"text": _cut(message.short, _INTERACTIVE)}
    if not message.choices:
        return {"type": "location_request_message", "body": body, "action": {"name": "send_location"}}
    choices = message.choices[:_ROWS]
    if len(choices) <= _BUTTONS and all(_on_a_button(choice) for choice in choices):
        buttons = [{"type": "reply", "reply": {"id": choice.id, "title": choice.title}} for choice in choices]
        return {"type": "button", "body": body, "action": {"buttons": buttons}}
    opens = message.button or _OPENS
    section = {"title": _cut(opens, _ROW_TITLE), "rows": [_row(choice) for choice in choices]}
    return {"type": "list", "body": body, "action": {"button": _cut(opens, _BUTTON_TITLE), "sections": [section]}}


def _on_a_button(choice: Choice) -> bool:
    return units(choice.title) <= _BUTTON_TITLE and not choice.description


def _row(choice: Choice) -> dict[str, str]:
    row = {"id": choice.id, "title": _cut(choice.title, _ROW_TITLE)}
    if choice.description:
        row["description"] = _cut(choice.description, _ROW_DESCRIPTION)
    return row


def _template(call: TemplateCall) -> dict[str, Any]:
    """
    The template's name and what fills it: the body, the quick replies in their order, then the link's end.
    """
    components: list[dict[str, Any]] = []
    if call.parameters:
        texts = [{"type": "text", "text": _cut(" ".join(text.split()), _PARAMETER) or "-"} for text in call.parameters]
        components.append({"type": "body", "parameters": texts})
    replies = [("quick_reply", {"type": "payload", "payload": reply}) for reply in call.payloads]
    links = [("url", {"type": "text", "text": call.link})] if call.link is not None else []
    for index, (kind, parameter) in enumerate([*replies, *links]):
        components.append({"type": "button", "sub_type": kind, "index": str(index), "parameters": [parameter]})
    return {"name": call.name, "language": {"code": str(call.language)}, "components": components}


def _cut(text: str, limit: int) -> str:
    return cut(text, lambda it: units(it) <= limit)


# --- what comes back ---

Ruling = Callable[[str, timedelta | None], Exception]


def _elsewhere(code: str, after: timedelta | None) -> Exception:
    return PermanentError(code, elsewhere=True)


def _never(code: str, after: timedelta | None) -> Exception:
    return PermanentError(code)


def _mend(code: str, after: timedelta | None) -> Exception:
    return PermanentError(code, elsewhere=True, alert=True)


def _account(code: str, after: timedelta | None) -> Exception:
    return TemporaryError(code, after or _MENDED, alert=True)


def _later(code: str, after: timedelta | None) -> Exception:
    return TemporaryError(code, after)


def _slower(code: str, after: timedelta | None) -> Exception:
    return TemporaryError(code, after or _MINUTE, alone=True)


# Graph's error codes. What is not here: 4xx, the person may be reached elsewhere; 5xx and 429, later.
RULINGS: Final[Mapping[int, Ruling]] = {
    **dict.fromkeys(
        (131026, 131047, 131049, 131050, 131030, 131062, 130472), _elsewhere
    ),  # this person, not by WhatsApp
    **dict.fromkeys((131021, 131051), _never),  # to ourselves; a kind of message that there is not
    **dict.fromkeys((132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016), _mend),  # the template
    **dict.fromkeys((100, 131008, 131009, 131048, 131063), _mend),  # what we send, and how it is received
    **dict.fromkeys((0, 3, 10, 190, 200, 368, 130497, 131005, 131031, 131037, 131042, 131045), _account),
    **dict.fromkeys((1, 2, 4, 80007, 130429, 131000, 131016, 131057), _later),  # Meta is busy or unwell
    131056: _slower,  # too many to this one person
}
_CLOSED_BY_META: Final = 131047


def _code(answer: Answer) -> int | None:
    error = answer.body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None


def ruling(answer: Answer) -> Exception:
    """
    What an answer that is no 2xx means.
    """
    code = _code(answer)
    if code is None:
        return unclear(answer)
    default = _later if answer.status >= 500 or answer.status == 429 else _elsewhere
    return RULINGS.get(code, default)(f"whatsapp_{code}", answer.after)


class WhatsAppSender:
    """
    Hands messages to Meta. What becomes of them is said by webhook, under the key that goes along.
    """

    def __init__(self, settings: WhatsAppSettings, client: httpx.AsyncClient, clock: Clock = system_clock) -> None:
        self._url = f"{settings.url.rstrip('/')}/{settings.phone_number_id}/messages"
        self._headers = {"Authorization": f"Bearer {settings.token}"}
        self._client = client
        self._clock = clock

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return Meta's id of the message. If Meta knows better that the window is closed, it goes as a template at once.
        """
        answer = await self._post(payload(letter))
        if letter.free and _code(answer) == _CLOSED_BY_META and letter.message.template is not None:
            template = Letter(letter.to, letter.message, letter.key, answers=letter.answers, thread=letter.thread)
            answer = await self._post(payload(template))
        if not answer.ok:
            raise ruling(answer)
        match answer.body:
            case {"messages": [{"id": str(found)}, *_]}:
                return found
            case _:
                return None  # taken, under a name that we shall learn from its status

    async def _post(self, body: dict[str, Any]) -> Answer:
        return await ask(self._client, self._clock, "POST", self._url, json=body, headers=self._headers)

    async def close(self) -> None:
        """
        The client belongs to whoever made it.
        """
