"""
One message about several requests, made of the messages about each. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.common.contracts.vocabulary import Language
from services.notify.domain import Carried, Row
from services.notify.layout import RULE, Sheet
from services.notify.messages import House, Message
from services.notify.templates import Templates, buttons_in

_SUBJECT = {
    Language.TR: "Başvurularınız hakkında {number} haber",
    Language.EN: "News about {number} of your requests",
}
_BREAK = f"\n\n{RULE}\n\n"
_FOOT = "\n-- \n"


def render(templates: Templates, house: House, request_id: str, row: Row, language: Language) -> Message:
    """
    The message that a row is sent as: its own, or with those that it carries. The same row always gives the same words.
    """
    own = templates.render(house, request_id, row, language)
    if not row.carries:
        return own
    others = [templates.render(house, one.request_id, _as_row(row, one), language) for one in row.carries]
    return _joined(templates, house, [own, *others], language)


def _as_row(row: Row, one: Carried) -> Row:
    return replace(row, transition=one.transition, facts=one.facts, at=one.at, survey=False, carries=())


def _joined(templates: Templates, house: House, messages: Sequence[Message], language: Language) -> Message:
    """
    A mail has all texts; a short message the heading of each, in which its number stands.
    """
    subject = _SUBJECT[language].format(number=len(messages))
    bodies = [message.text.partition(_FOOT)[0].strip() for message in messages]
    foot = messages[0].text.partition(_FOOT)[2]
    text = _BREAK.join(bodies)
    buttons = buttons_in(text, house, language)
    sheet = Sheet(language, subject, text, house.names[language], house.phone, buttons)
    headings = "\n".join(message.subject for message in messages)
    return Message(
        subject,
        f"{text}\n{_FOOT}{foot}",
        templates.layout.page(sheet) if messages[0].html else "",
        f"{headings}\n{house.names[language]} {house.phone}",
    )
