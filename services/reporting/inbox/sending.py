"""
From a form that came in to what became of it, as the page says it.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.datastructures import UploadFile

from services.common.contracts.actions import SHAPES
from services.common.contracts.vocabulary import Action, RefusalReason
from services.common.kit.http import Problem
from services.common.kit.people import Person
from services.common.ui.words import REFUSALS, Words
from services.reporting.inbox.acting import Form, FormRefused, Wrong, body_of
from services.reporting.inbox.intake_client import Told
from services.reporting.inbox.room import Room

MOST_PHOTOS: Final = 10
KEY_FIELD: Final = "_key"
_KEY: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What a form became: what intake and routing say, or which fields are ``wrong``. ``photos`` are kept already.
    """

    told: Told | None
    wrong: tuple[Wrong, ...] = ()
    photos: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """
        Whether it is kept: carried out, or to be carried out soon.
        """
        return self.told is not None and self.told.result in ("applied", "pending")


async def form_of(request: Request) -> tuple[dict[str, list[str]], list[UploadFile]]:
    """
    The texts of a form, and its files that are not empty.
    """
    found = await request.form()
    texts = {name: [value for value in found.getlist(name) if isinstance(value, str)] for name in found}
    files = [value for _, value in found.multi_items() if not isinstance(value, str) and value.size]
    return texts, files


def key_of(form: Form) -> str:
    """
    The key that the form was drawn with: the same form is carried out once. Answers 422 without one.
    """
    key = next(iter(form.get(KEY_FIELD, ())), "")
    if not _KEY.fullmatch(key):
        raise Problem(422, f"The form has no key ({KEY_FIELD}): load the page anew.")
    return key


async def send(
    room: Room,
    person: Person,
    request_id: str,
    action: Action,
    form: Form,
    files: Sequence[UploadFile],
    department: str,
) -> Sent:
    """
    Keep the photos, then ask for the update and wait for its result.
    """
    photos, wrong = await _kept(room, person, files if "photos" in SHAPES[action].takes else ())
    known = tuple(dict.fromkeys((*(one for one in form.get("photos", ()) if one), *photos)))
    if len(known) > MOST_PHOTOS:
        wrong = (Wrong("photos", Words(f"En çok {MOST_PHOTOS} fotoğraf.", f"At most {MOST_PHOTOS} photos.")),)
    try:
        body = body_of(action, {**form, "photos": known}, department, room.clock())
    except FormRefused as refused:
        return Sent(None, (*refused.wrong, *wrong), known)
    if wrong:
        return Sent(None, wrong, known)
    told = await room.intake.update(person, request_id, body, key_of(form))
    return Sent(told, tuple(_wrong(told)), known)


async def _kept(room: Room, person: Person, files: Sequence[UploadFile]) -> tuple[list[str], tuple[Wrong, ...]]:
    kept: list[str] = []
    for file in files[:MOST_PHOTOS]:
        answer = await room.intake.upload(person, await file.read())
        said = _json(answer.body)
        if answer.status != 201:
            message = next((str(row.get("message")) for row in said.get("errors", ())), str(said.get("detail", "")))
            return kept, (Wrong("photos", Words(f"Fotoğraf alınmadı: {message}", f"A photo was not taken: {message}")),)
        kept.append(said["attachment_id"])
    return kept, ()


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


_FORM_FIELD: Final = {"referred_to": "body", "photos": "photos", "parts": "parts"}


def _wrong(told: Told) -> list[Wrong]:
    """
    Intake's own field errors, at the form's fields. Its messages are English: they are rare here, and exact.
    """
    found = []
    for error in told.errors:
        name, _, rest = error.field.partition(".")
        field = {"on": "body_on", "reference": "body_reference"}.get(rest) or _FORM_FIELD.get(name, name)
        found.append(Wrong(field, Words(f"Olması gerektiği gibi değil: {error.message}", error.message)))
    return found


def said(told: Told) -> Words:
    """
    What became of it, in words.
    """
    match told.result:
        case "applied":
            return Words("Yapıldı.", "Done.")
        case "pending":
            return Words(
                "Kaydedildi, birazdan uygulanacak. Sonucu bu sayfada görünecek.",
                "It is kept and will be carried out soon; this page will show it.",
            )
        case "refused":
            reason = _reason(told)
            return REFUSALS[reason] if reason else Words("Yapılamadı.", "It was not carried out.")
        case "conflict":
            return REFUSALS[RefusalReason.CHANGED_MEANWHILE]
        case "forbidden":
            return Words("Bunun için yetkiniz yok.", "You may not do this.")
        case "invalid":
            return Words("Bazı bilgiler olması gerektiği gibi değil.", "Some fields are not as they should be.")
        case "away":
            return Words(
                "Şu an gönderilemedi. Yazdıklarınız duruyor: biraz sonra yeniden gönderin; iki kez işlenmez.",
                "It could not be sent now. What you typed is still here: send it again soon; it is not done twice.",
            )


def _reason(told: Told) -> RefusalReason | None:
    return RefusalReason(told.reason) if told.reason in set(RefusalReason) else None


async def seen_by_now(room: Room, request_id: str, seq: int, *, noted: bool = False, patience: float = 2.0) -> None:
    """
    Wait until the projection has this step, so that who acted sees what came of it; at most 2 s. ``noted``: with the
    words that go to the department alone, which come by another topic.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while loop.time() < until:
        document = await room.repository.request(request_id)
        if document is None or (document["last_seq"] >= seq and (not noted or str(seq) in document["inner"])):
            return
        await asyncio.sleep(0.1)
