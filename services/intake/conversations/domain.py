"""
What follows from a message in a conversation, and from time passing. Pure: the same messages, in whatever order and
however often they come, lead to the same requests.
"""

import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.common.contracts.events import MessageReceived, Option
from services.common.contracts.ids import family_of
from services.common.contracts.vocabulary import Channel, MessageKind, Saying, Status, Wish
from services.intake.calls.people import OwnRequest, shown
from services.intake.conversations.danger import tells_of_danger
from services.intake.conversations.inbound import message_id_of
from services.intake.conversations.making import rated, reopened, replied, say, without
from services.intake.conversations.model import (
    Conversation,
    Correction,
    File,
    Known,
    Left,
    Next,
    Question,
    Rules,
    Said,
    Seen,
)
from services.intake.conversations.timing import run_out, tick

MOST_SEEN: Final = 300
MOST_CORRECTIONS: Final = 20
MOST_OFFERED: Final = 9
MOST_LEFT: Final = 20
_NUMBER: Final = "[0-9A-HJKMNP-TV-Z]{13}"
CHOICE: Final = re.compile(
    rf"(?P<new>new)|req:(?P<req>{_NUMBER}(?:\.[1-9][0-9]?)?)"
    rf"|fb:(?P<rated>{_NUMBER}):(?P<of>[1-9][0-9]{{0,5}}):(?P<stars>[1-5])"
    rf"|reopen:(?P<again>{_NUMBER})(?::(?P<seq>[1-9][0-9]{{0,5}}))?"
)


def conversation_id(message: MessageReceived) -> str:
    """
    The id of the conversation that this message begins, if there is none.
    """
    return f"{message.channel}:{message.person}"


def begun(message: MessageReceived, left_at: datetime | None) -> Conversation:
    """
    The conversation that this message begins. ``left_at``: somebody else was known by the sender's hash until then.
    """
    name = conversation_id(message)
    if left_at is not None:
        name += f":{left_at:%Y%m%dT%H%M%S.%f}"
    return Conversation(name, message.person, message.channel, message.contact_id)


def absorb(
    conversation: Conversation | None, message: MessageReceived, known: Known, now: datetime, rules: Rules
) -> Conversation:
    """
    The conversation after the message. One that had its effect gives the same object back.
    """
    if conversation is None:
        conversation = begun(message, None)
    if conversation.has_seen(message.message_id):
        return conversation
    after = _known_as(conversation, message)
    after = replace(after, seen=(*after.seen, Seen(message.message_id))[-MOST_SEEN:])
    return tick(_Heard(message, known, now, rules).by(after), now, rules)


def _known_as(conversation: Conversation, message: MessageReceived) -> Conversation:
    """
    Who moved leaves every hash behind that the message does not name: the next owner of a number is somebody else.
    """
    if conversation.had(message.person, message.sent_at):
        return conversation
    given, moved = {message.person, *message.also}, message.kind is MessageKind.MOVED
    before = {conversation.person, *conversation.aliases}
    left = tuple(one for one in conversation.left if one.hash not in given)
    if moved:
        behind = {*before, *filter(None, [message.replaces])} - given - {one.hash for one in left}
        left = (*left, *(Left(name, message.sent_at) for name in sorted(behind)))[-MOST_LEFT:]
    return replace(
        conversation,
        person=message.person,
        contact_id=message.contact_id,
        aliases=tuple(sorted((given if moved else given | before) - {message.person})),
        left=left,
        hidden=conversation.hidden if moved else message.channel is Channel.WHATSAPP and not message.also,
    )


class _Heard:
    """
    One message with all that bears on it.
    """

    def __init__(self, message: MessageReceived, known: Known, now: datetime, rules: Rules) -> None:
        self.message = message
        self.known = known
        self.now = now
        self.rules = rules
        self.said = _said(message, known, now)
        self.cries = tells_of_danger(message.text)

    def by(self, conversation: Conversation) -> Conversation:
        """
        What the conversation becomes by it.
        """
        match self.message.kind:
            case MessageKind.REACTION | MessageKind.MOVED:
                return conversation
            case MessageKind.CONTACT:
                return replace(conversation, number_asked=True)
            case MessageKind.EDITED | MessageKind.DELETED:
                return self._corrected(conversation)
        conversation = self._noticed(conversation)
        if self.message.wish is not None:
            return self._wished(conversation, self.message.wish)
        if self.message.kind is MessageKind.UNREADABLE:
            return self._unread(conversation)
        choice = self._choice(conversation)
        if choice is not None and (found := CHOICE.fullmatch(choice)):
            return self._chosen(conversation, found)
        return self._listened(conversation)

    def _say(
        self,
        conversation: Conversation,
        saying: Saying,
        request_id: str | None = None,
        options: tuple[Option, ...] = (),
    ) -> Conversation:
        return say(conversation, saying, self.said, self.now, self.rules, request_id=request_id, options=options)

    def _noticed(self, conversation: Conversation) -> Conversation:
        if conversation.notice_at is not None and self.now - conversation.notice_at < self.rules.notice_again:
            return conversation
        return replace(self._say(conversation, Saying.NOTICE), notice_at=self.now)

    def _wished(self, conversation: Conversation, wish: Wish) -> Conversation:
        if conversation.wish_at is not None and self.message.sent_at < conversation.wish_at:
            return conversation
        after = replace(conversation, wish_at=self.message.sent_at)
        return self._say(after, Saying.STOPPED if wish is Wish.STOP else Saying.STARTED)

    def _unread(self, conversation: Conversation) -> Conversation:
        since = conversation.first_at or self.now - self.rules.longest
        lately = conversation.spoke(Saying.UNREADABLE, since)
        return conversation if lately else self._say(conversation, Saying.UNREADABLE)

    # --- changed and taken back ---

    def _corrected(self, conversation: Conversation) -> Conversation:
        about, gone = self.message.about, self.message.kind is MessageKind.DELETED
        if about is None:
            return conversation
        if not conversation.has_seen(about):
            kept = Correction(about, self.now, None if gone else self.said)
            return replace(conversation, corrections=(*conversation.corrections, kept)[-MOST_CORRECTIONS:])
        request_id = conversation.request_of(about)
        if request_id is not None:
            return conversation if gone else replied(conversation, (self.said,), request_id, self.now, self.rules)
        if gone:
            return without(conversation, (about,))
        draft = tuple(_changed(said, self.said) if said.id == about else said for said in conversation.draft)
        if draft == conversation.draft or not self.known.danger:
            return replace(conversation, draft=draft)
        return self._warned(replace(conversation, draft=draft, urgent_at=conversation.urgent_at or self.now))

    # --- choices ---

    def _choice(self, conversation: Conversation) -> str | None:
        """
        What was chosen: by a button, or, by SMS, by the digit before it.
        """
        if self.message.kind is MessageKind.CHOICE:
            return self.message.choice
        digit = (self.message.text or "").strip(" .)")
        asked = conversation.asked
        if self.message.channel is not Channel.SMS or asked is None or not (digit.isascii() and digit.isdigit()):
            return None
        place = int(digit[:3]) - 1
        return asked.options[place] if 0 <= place < len(asked.options) else None

    def _chosen(self, conversation: Conversation, found: re.Match[str]) -> Conversation:
        number = found["req"] or found["rated"] or found["again"]
        if number is not None and not self._theirs(conversation, number):
            return conversation
        if found["rated"]:
            after = rated(conversation, number, int(found["of"]), int(found["stars"]), self.now, self.rules)
            return self._say(after, Saying.THANKS, number)
        if found["again"]:
            return self._again(conversation, number, int(found["seq"] or 0))
        if found["req"] and conversation.draft:
            return self._answered(conversation, conversation.draft, number)
        if conversation.draft:
            return replace(conversation, asked=None, next=None, first_at=self.now, last_at=self.now)
        return self._awaits(conversation, Next(self.now + self.rules.which_wait, number))

    def _again(self, conversation: Conversation, number: str, seq: int) -> Conversation:
        """
        The request is to be open again; if it is, or was never closed, what is said simply belongs to it.
        """
        request = self.known.requests.get(number)
        closing = seq or (request.closed_seq if request else None)
        if request is not None and request.open:
            closing = None
        ask = Next(self.now + self.rules.which_wait, number, closing)
        if conversation.draft:
            return self._went_on(conversation, ask, conversation.draft)
        return self._awaits(conversation, ask)

    def _awaits(self, conversation: Conversation, ask: Next) -> Conversation:
        before = conversation.next
        if before is not None and (before.request_id, before.closing_seq) != (ask.request_id, ask.closing_seq):
            conversation = run_out(conversation, self.now, self.rules)
        return replace(self._say(conversation, Saying.DESCRIBE, ask.request_id), next=ask)

    def _theirs(self, conversation: Conversation, number: str) -> bool:
        offered = conversation.asked.options if conversation.asked else ()
        made = {one.request_id for one in conversation.made}
        return number in self.known.own | made or f"req:{number}" in offered

    # --- words, places, files ---

    def _listened(self, conversation: Conversation) -> Conversation:
        corrections = [one for one in conversation.corrections if one.about == self.said.id]
        if corrections:
            left = tuple(one for one in conversation.corrections if one.about != self.said.id)
            conversation = replace(conversation, corrections=left)
            if any(one.said is None for one in corrections):
                return conversation
            for one in corrections:
                self.said = _changed(self.said, one.said or self.said)
        named = self._named(conversation)
        if named is not None:
            return self._answered(conversation, (self.said,), named)
        ask = conversation.next
        if ask is not None:
            return self._went_on(conversation, ask, (self.said,))
        latest = self._just_made(conversation)
        if latest is not None:
            return self._answered(conversation, (self.said,), latest)
        return self._drafted(conversation, ask=True, urgent=self.known.danger)

    def _just_made(self, conversation: Conversation) -> str | None:
        """
        The request that was made so lately that what comes now belongs to it; danger is no afterthought.
        """
        if conversation.draft or not conversation.made or not conversation.asks:
            return None
        latest = conversation.made[-1]
        late = self.now - latest.at > self.rules.late or (self.cries and not latest.urgent)
        return None if late else latest.request_id

    def _warned(self, conversation: Conversation) -> Conversation:
        lately = conversation.spoke(Saying.DANGER, self.now - self.rules.late)
        return conversation if lately else self._say(conversation, Saying.DANGER)

    def _named(self, conversation: Conversation) -> str | None:
        """
        The request that the message answers or names. Who names somebody else's adds to it while it is open; nobody is
        told more of it, or asked whether it is to be open again.
        """
        for provider_id in self.message.reply_to:
            own = conversation.request_of(message_id_of(self.message.channel, provider_id, self.message.person))
            if found := self.known.sent.get(provider_id) or own:
                return found
        number = self.message.number
        request = self.known.requests.get(number) if number else None
        if number is None or request is None:
            return number if number in {one.request_id for one in conversation.made} else None
        return number if request.open or self._theirs(conversation, family_of(number)) else None

    def _went_on(self, conversation: Conversation, ask: Next, saids: tuple[Said, ...]) -> Conversation:
        """
        What was said is what a choice was waiting for. A request that was opened again meanwhile needs no reason.
        """
        if ask.request_id is None:
            return self._drafted(replace(conversation, next=None), ask=False, urgent=self.known.danger)
        request = self.known.requests.get(ask.request_id)
        if ask.closing_seq is not None and not (request is not None and request.open):
            return reopened(conversation, saids, ask, self.now, self.rules)
        return self._answered(conversation, saids, ask.request_id)

    def _answered(self, conversation: Conversation, saids: tuple[Said, ...], number: str) -> Conversation:
        """
        What was said belongs to the request. If that is closed, a letter goes there all the same, and anybody else is
        asked what to do with it. Only plain words of danger count here: a classifier that knows first reports takes
        thanks and afterthoughts for danger too easily.
        """
        if self.cries and self.said in saids:
            conversation = self._warned(conversation)
        request = self.known.requests.get(number)
        closed = request is not None and not request.open
        if not closed or not conversation.asks:
            after = replied(conversation, saids, number, self.now, self.rules)
            if closed:
                return self._say(after, Saying.CLOSED, number)
            lately = after.spoke(Saying.ADDED, self.now - self.rules.late, number)
            return after if lately else self._say(after, Saying.ADDED, number)
        if self.said in saids:
            conversation = self._drafted(conversation, ask=False, urgent=self.cries)
        asked = conversation.asked
        if conversation.urgent_at is not None or (asked is not None and asked.say is Saying.CLOSED):
            return conversation
        options = [Option(id="new")]
        if request is not None and request.closed_seq is not None and "." not in number:
            again = Option(
                id=f"reopen:{number}:{request.closed_seq}", request_id=number, service_code=request.service_code
            )
            options.append(again)
        return self._ask(conversation, Saying.CLOSED, options, number)

    def _drafted(self, conversation: Conversation, *, ask: bool, urgent: bool) -> Conversation:
        began = not conversation.draft
        after = replace(
            self._warned(conversation) if urgent else conversation,
            draft=tuple(sorted((*conversation.draft, self.said), key=lambda said: said.order)),
            first_at=conversation.first_at or self.now,
            last_at=self.now,
            urgent_at=conversation.urgent_at or (self.now if urgent else None),
            asked=None if urgent else conversation.asked,
        )
        if not (ask and began) or urgent or not after.asks:
            return after
        offered = self._open(after)
        if not offered:
            return after
        options = [
            Option(id=f"req:{one.request_id}", request_id=one.request_id, service_code=one.service_code)
            for one in offered
        ]
        return self._ask(after, Saying.WHICH, [*options, Option(id="new")])

    def _ask(
        self, conversation: Conversation, saying: Saying, options: list[Option], request_id: str | None = None
    ) -> Conversation:
        after = self._say(conversation, saying, request_id, tuple(options))
        return replace(after, asked=Question(saying, self.now, tuple(option.id for option in options)))

    def _open(self, conversation: Conversation) -> list[OwnRequest]:
        """
        The person's open requests to choose from, the newest first: as the read model has them, and those made here
        that it does not have yet.
        """
        known = self.known.requests
        fresh = [
            OwnRequest(one.request_id, Status.RECEIVED, None, None, one.at)
            for one in conversation.made
            if one.request_id not in known
        ]
        own = [known[number] for number in self.known.own if number in known]
        whole = [one for one in (*own, *fresh) if one.open and one.request_id == family_of(one.request_id)]
        return shown(whole)[: MOST_OFFERED - (conversation.channel is Channel.SMS)]


def _said(message: MessageReceived, known: Known, now: datetime) -> Said:
    return Said(
        id=message.message_id,
        provider_id=message.provider_id,
        sent_at=message.sent_at,
        received_at=message.received_at,
        adapter=message.adapter,
        text=message.text,
        subject=message.subject,
        location=message.location,
        files=tuple(
            File(one.provider_id, one.attachment, one.mime_type, one.sha256, again_at=now if one.provider_id else None)
            for one in message.media
        ),
        placed=known.place,
    )


def _changed(said: Said, by: Said) -> Said:
    """
    A message as its sender changed it, unless a later change is known. Its files cannot be changed.
    """
    if said.changed is not None and said.changed > by.order:
        return said
    return replace(said, text=by.text, placed=by.placed, changed=by.order)
