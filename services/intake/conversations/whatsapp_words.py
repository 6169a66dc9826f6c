"""
What a WhatsApp message says: its type's own member, read into ``Words``. A type that we do not know is unreadable.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from services.common.contracts.events import Location, Media
from services.common.contracts.vocabulary import MessageKind
from services.intake.conversations.inbound import sound
from services.intake.conversations.loose import degrees, mapping, name_given, names_given, short, string

MOST_CHOICE: Final = 256
MOST_ADDRESS: Final = 500
_OUR_CHOICE: Final = re.compile(r"new|(req|fb|reopen):.+")
_FILES: Final = frozenset({"image", "video", "audio", "document"})
_NOTHING_SAID: Final = frozenset({"request_welcome", "ephemeral"})


class Ignored(Exception):
    """
    This part of a body is not taken; the message is why.
    """


@dataclass(frozen=True, slots=True)
class Words:
    """
    What a message says, whatever else is known of it.
    """

    kind: MessageKind
    text: str | None = field(default=None, repr=False)
    location: Location | None = field(default=None, repr=False)
    media: tuple[Media, ...] = ()
    reply_to: tuple[str, ...] = ()
    choice: str | None = None
    about: str | None = None


UNREADABLE: Final = Words(MessageKind.UNREADABLE)


def words_of(kind: str, message: Mapping[str, Any]) -> Words:
    """
    What stands in the member that is named like the message's type. A type that we do not know is unreadable.
    """
    content = mapping(message.get(kind))
    if kind in _NOTHING_SAID:
        raise Ignored("nothing_said")
    if kind in _FILES:
        return _file(content)
    match kind:
        case "text":
            return Words(MessageKind.TEXT, string(content.get("body")))
        case "location":
            return _place(content)
        case "sticker":
            return Words(MessageKind.REACTION)
        case "reaction":
            return Words(MessageKind.REACTION, reply_to=names_given(content.get("message_id")))
        case "button":
            return _chosen(content.get("payload"), content.get("text"))
        case "interactive":
            return _interactive(content)
        case "edit":
            return _edited(content)
        case "revoke":
            return Words(MessageKind.DELETED, about=_original(content))
        case _:
            return UNREADABLE


def _file(content: Mapping[str, Any]) -> Words:
    caption, provider_id = string(content.get("caption")), name_given(content.get("id"))
    if provider_id is None:
        return Words(MessageKind.TEXT, caption) if caption else UNREADABLE
    media = Media(
        provider_id=provider_id,
        mime_type=short(content.get("mime_type"), 200),
        sha256=short(content.get("sha256"), 100),
    )
    return Words(MessageKind.MEDIA, caption, media=(media,))


def _place(content: Mapping[str, Any]) -> Words:
    named = [sound(string(content.get(name)), MOST_ADDRESS) for name in ("name", "address")]
    address = ", ".join(" ".join(words.split()) for words in named if words)[:MOST_ADDRESS] or None
    lat, lon = degrees(content.get("latitude"), 90), degrees(content.get("longitude"), 180)
    if lat is None or lon is None:
        return Words(MessageKind.TEXT, address) if address else UNREADABLE
    return Words(MessageKind.LOCATION, location=Location(address=address, lat=lat, lon=lon))


def _chosen(choice: object, title: object) -> Words:
    found = short(choice, MOST_CHOICE)
    if found is None:
        return Words(MessageKind.TEXT, string(title))
    return Words(MessageKind.CHOICE, string(title), choice=found)


def _interactive(content: Mapping[str, Any]) -> Words:
    for name in ("button_reply", "list_reply"):
        if reply := mapping(content.get(name)):
            return _chosen(reply.get("id"), reply.get("title"))
    if content.get("type") == "call_permission_reply":
        raise Ignored("nothing_said")
    return _form(mapping(content.get("nfm_reply")))


def _form(reply: Mapping[str, Any]) -> Words:
    """
    The answers of a form (flow): a choice if its token is one of our choices, then with what was typed as its text.
    """
    try:
        answers = mapping(json.loads(string(reply.get("response_json")) or ""))
    except (ValueError, RecursionError):
        return UNREADABLE
    token = string(answers.get("flow_token")) or ""
    if len(token) > MOST_CHOICE or not _OUR_CHOICE.fullmatch(token):
        return UNREADABLE
    typed = [value for name, value in answers.items() if name != "flow_token" and isinstance(value, str)]
    return Words(MessageKind.CHOICE, "\n".join(typed) or None, choice=token)


def _edited(content: Mapping[str, Any]) -> Words:
    inner = mapping(content.get("message"))
    kind = string(inner.get("type")) or ""
    now_said = words_of(kind, inner) if kind == "text" or kind in _FILES else UNREADABLE
    if now_said.kind is MessageKind.UNREADABLE:
        raise Ignored("edit_unreadable")
    return replace(now_said, kind=MessageKind.EDITED, about=_original(content))


def _original(content: Mapping[str, Any]) -> str:
    about = name_given(content.get("original_message_id"))
    if about is None:
        raise Ignored("no_original")
    return about
