"""
What a conversation leads to, as records in its outbox: requests, replies, feedback, and what is to be said. Pure.

Every id derives from the messages that led to it, so that the same messages lead to the same records.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts import ids, topics
from services.common.contracts.envelope import encode
from services.common.contracts.events import Location, MessageWanted, Option
from services.common.contracts.vocabulary import Saying
from services.intake import cleaning
from services.intake.citizen.notice import CURRENT
from services.intake.conversations.inbound import MOST_SUBJECT, MOST_TEXT, sound
from services.intake.conversations.model import Conversation, File, Made, Next, Rules, Said, Seen, Spoken, Tie
from services.intake.domain import CallOf, accept_feedback, accept_reply, accept_request, metadata
from services.intake.schemas import MOST_FILES, TEXT_LIMIT, NewFeedback, NewReply, NewRequest, Place

MOST_MADE: Final = 20
MOST_SPOKEN: Final = 20
NOT_TAKEN: Final = "(Gönderilen dosya alınamadı)"
NO_REASON: Final = "(Gerekçe yazılmadı)"
_ADDRESS: Final = 300
_NEIGHBOURHOOD: Final = 100
_NAMES: Final = {"image": "Fotoğraf", "video": "Video", "audio": "Ses kaydı"}
_WORTH: Final = {Saying.DANGER: timedelta(minutes=30)}
_QUESTIONS: Final = frozenset({Saying.WHICH, Saying.DESCRIBE, Saying.WHERE, Saying.CLOSED})
_DAY: Final = timedelta(hours=24)


# --- what is said ---


def say(
    conversation: Conversation,
    saying: Saying,
    cause: Said,
    now: datetime,
    rules: Rules,
    *,
    request_id: str | None = None,
    options: Sequence[Option] = (),
) -> Conversation:
    """
    The conversation with this to be said, as the answer to ``cause``.
    """
    wanted = MessageWanted(
        wanted_id=ids.derived_id("say", cause.id, saying),
        person=conversation.person,
        contact_id=conversation.contact_id,
        channel=conversation.channel,
        say=saying,
        request_id=request_id,
        options=tuple(options),
        answers=cause.provider_id,
        wanted_at=now,
        until=now + (rules.which_wait if saying in _QUESTIONS else _WORTH.get(saying, _DAY)),
    )
    meta = metadata(wanted.wanted_id, request_id or cause.id, cause.id, now)
    return replace(
        conversation,
        outbox=(*conversation.outbox, encode(topics.MESSAGES_OUT, meta, wanted)),
        spoken=(*conversation.spoken, Spoken(saying, now, request_id))[-MOST_SPOKEN:],
    )


# --- a request ---


def requested(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    """
    The draft became a request, under the number that its first message gives it. What is too long follows as a reply.
    """
    draft = conversation.draft
    first, owner = draft[0], draft[0].adapter
    files = [file for said in draft for file in said.files]
    kept = list(dict.fromkeys(file.attachment for file in files if file.attachment))[:MOST_FILES]
    place = next((said.location for said in reversed(draft) if said.location is not None), None)
    pieces = _pieces(_words_of_request(draft, place))
    body = NewRequest(
        channel=conversation.channel,
        text=pieces[0],
        location=_place(place),
        attachments=kept or None,
        notice_version=CURRENT if conversation.notice_at else None,
        received_at=min(first.received_at, now),
    )
    accepted = accept_request(
        body,
        adapter=conversation.channel,
        idempotency_key=first.id,
        secret=rules.secret,
        now=now,
        call=CallOf("", conversation.contact_id),
    )
    made = Made(accepted.id, now, conversation.urgent_at is not None)
    after = replace(
        conversation,
        outbox=(*conversation.outbox, *accepted.records),
        made=(*conversation.made, made)[-MOST_MADE:],
        ties=(*conversation.ties, Tie(accepted.id, owner, tuple(kept))) if kept else conversation.ties,
    )
    after = _replies(after, pieces[1:], accepted.id, first, now, rules, start=1)
    return settled(after, draft, accepted.id)


def settled(conversation: Conversation, saids: Iterable[Said], request_id: str) -> Conversation:
    """
    The conversation without these messages: they went to the request. Nothing is open about an empty draft.
    """
    gone = {said.id for said in saids}
    seen = tuple(Seen(one.id, request_id) if one.id in gone else one for one in conversation.seen)
    return without(replace(conversation, seen=seen), gone)


def without(conversation: Conversation, gone: Iterable[str]) -> Conversation:
    """
    The conversation without these messages in its draft.
    """
    taken = frozenset(gone)
    draft = tuple(said for said in conversation.draft if said.id not in taken)
    if draft:
        return replace(conversation, draft=draft)
    return replace(conversation, draft=(), first_at=None, last_at=None, urgent_at=None, asked=None)


# --- what belongs to a request that there is ---


def replied(
    conversation: Conversation, saids: Sequence[Said], request_id: str, now: datetime, rules: Rules
) -> Conversation:
    """
    What was said went to the request as the citizen's reply.
    """
    pieces = _pieces(_words_of_reply(saids))
    after = _replies(conversation, pieces, request_id, saids[0], now, rules, start=0)
    return settled(after, saids, request_id)


def reopened(conversation: Conversation, saids: Sequence[Said], ask: Next, now: datetime, rules: Rules) -> Conversation:
    """
    The request is to be open again because of what was said; without any words, because the citizen wants it.
    """
    request_id = ask.request_id or ""
    pieces = _pieces(_words_of_reply(saids)) if saids else [NO_REASON]
    body = NewFeedback(token="", closing_seq=ask.closing_seq or 1, reopen=True, comment=pieces[0])
    after = _fed_back(replace(conversation, next=None), body, request_id, now, rules)
    if saids:
        after = _replies(after, pieces[1:], request_id, saids[0], now, rules, start=1)
    return settled(after, saids, request_id)


def rated(
    conversation: Conversation, request_id: str, closing_seq: int, stars: int, now: datetime, rules: Rules
) -> Conversation:
    """
    The citizen gave stars for how the request ended.
    """
    body = NewFeedback(token="", closing_seq=closing_seq, rating=stars)
    return _fed_back(conversation, body, request_id, now, rules)


def _fed_back(
    conversation: Conversation, body: NewFeedback, request_id: str, now: datetime, rules: Rules
) -> Conversation:
    channel = conversation.channel
    accepted = accept_feedback(
        body, request_id=request_id, adapter=channel, channel=channel, secret=rules.secret, now=now
    )
    return replace(conversation, outbox=(*conversation.outbox, *accepted.records))


def _replies(
    conversation: Conversation,
    pieces: Iterable[str],
    request_id: str,
    first: Said,
    now: datetime,
    rules: Rules,
    *,
    start: int,
) -> Conversation:
    outbox = list(conversation.outbox)
    for number, piece in enumerate(pieces, start):
        accepted = accept_reply(
            NewReply(text=piece, channel=conversation.channel),
            request_id=request_id,
            adapter=conversation.channel,
            idempotency_key=f"{first.id}.{number}",
            secret=rules.secret,
            now=now,
        )
        outbox += accepted.records
    return replace(conversation, outbox=tuple(outbox))


# --- words ---


def has_words(said: Said) -> bool:
    """
    Whether the message says something in words.
    """
    return _clean(said.text, MOST_TEXT) is not None


def _words_of_request(draft: Sequence[Said], place: Location | None) -> str:
    lines = [text for said in draft if (text := _clean(said.text, MOST_TEXT))]
    subject = _clean(draft[0].subject, MOST_SUBJECT)
    if subject and subject not in lines:
        lines.insert(0, subject)
    if not lines:
        lines += _names_alone(draft, place)
    lines += [_point(said.location) for said in draft if said.location is not None and said.location != place]
    files = [file for said in draft for file in said.files]
    if any(file.attachment is None for file in files):
        lines.append(NOT_TAKEN)
    more = len({file.attachment for file in files if file.attachment}) - MOST_FILES
    if more > 0:
        lines.append(f"({more} dosya daha gönderildi; eklenemedi)")
    return "\n".join(lines)


def _names_alone(draft: Sequence[Said], place: Location | None) -> list[str]:
    named = [f"({_name(file)} gönderildi)" for said in draft for file in said.files]
    return list(dict.fromkeys(named)) or (["(Konum gönderildi)"] if place is not None else ["(Boş ileti)"])


def _words_of_reply(saids: Sequence[Said]) -> str:
    lines: list[str] = []
    for said in saids:
        text = _clean(said.text, MOST_TEXT)
        lines += [text] if text else []
        lines += [_point(said.location)] if said.location is not None else []
        lines += [f"({_name(file)} gönderildi; talebe eklenemedi)" for file in said.files]
    return "\n".join(lines) or "(Boş ileti)"


def _name(file: File) -> str:
    return _NAMES.get((file.mime_type or "").partition("/")[0], "Dosya")


def _point(location: Location) -> str:
    words = [_clean(location.address, _ADDRESS), _clean(location.neighbourhood, _NEIGHBOURHOOD)]
    if location.lat is not None and location.lon is not None:
        words.append(f"{location.lat:.5f}, {location.lon:.5f}")
    return f"(Konum: {' '.join(filter(None, words))})"


def _place(location: Location | None) -> Place | None:
    if location is None:
        return None
    whole = location.lat is not None and location.lon is not None
    return Place(
        address=_clean(location.address, _ADDRESS),
        neighbourhood=_clean(location.neighbourhood, _NEIGHBOURHOOD),
        lat=location.lat if whole else None,
        lon=location.lon if whole else None,
    )


def _pieces(text: str) -> list[str]:
    """
    The text in pieces that can be taken, cut between words where there are any.
    """
    found, left = [], text
    while len(left) > TEXT_LIMIT:
        cut = max(left.rfind(blank, TEXT_LIMIT // 2, TEXT_LIMIT) for blank in (" ", "\n"))
        cut = cut if cut > 0 else TEXT_LIMIT
        found.append(left[:cut])
        left = left[cut:]
    return [piece for part in (*found, left) if (piece := _clean(part, TEXT_LIMIT))]


def _clean(text: str | None, limit: int) -> str | None:
    """
    Words as our own API takes them, cut to the limit; None if there is nothing to see in them.
    """
    try:
        return cleaning.prose(sound(text, limit) or "", limit)
    except ValueError:
        return None
