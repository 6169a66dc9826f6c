"""
What time brings in a conversation: questions about a draft, its end, files that came or never will. Pure.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.common.contracts.vocabulary import Saying
from services.intake.conversations.making import has_words, reopened, requested, say
from services.intake.conversations.model import Conversation, File, Rules, Said

MOST_IN_A_DRAFT: Final = 50  # then it becomes a request, whatever comes next
_LONGEST_PAUSE: Final = timedelta(seconds=60)


def tick(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    """
    The conversation after what is due. Nothing due gives the same object back.
    """
    after = _late_corrections(conversation, now, rules)
    if after.next is not None and after.next.until <= now:
        after = run_out(after, now, rules)
    due = _prompt_at(after, rules)
    if due is not None and due <= now:
        after = _prompted(after, now, rules)
    closes_at = _closes_at(after, rules)
    if closes_at is not None and closes_at <= now:
        after = _closed(after, now, rules)
    return after


def next_at(conversation: Conversation, rules: Rules) -> datetime | None:
    """
    When ``tick`` has something to do.
    """
    moments = [correction.at + rules.longest for correction in conversation.corrections]
    moments += [conversation.next.until] if conversation.next else []
    return min(filter(None, (*moments, _prompt_at(conversation, rules), _closes_at(conversation, rules))), default=None)


def run_out(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    """
    The words that a choice was waiting for did not come: who wanted a request open again gets it without them.
    """
    ask = conversation.next
    if ask is None or ask.closing_seq is None:
        return replace(conversation, next=None)
    return reopened(conversation, (), ask, now, rules)


def _late_corrections(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    """
    A message that was changed and never came itself counts as what it was changed to.
    """
    late = [one for one in conversation.corrections if one.at + rules.longest <= now]
    if not late:
        return conversation
    gone = {one.about for one in late if one.said is None}
    changes = sorted((one for one in late if one.said is not None), key=lambda one: one.at)
    said = {one.about: one.said for one in changes if one.about not in gone and not conversation.has_seen(one.about)}
    draft = sorted((*conversation.draft, *filter(None, said.values())), key=lambda one: one.order)
    return replace(
        conversation,
        corrections=tuple(one for one in conversation.corrections if one not in late),
        draft=tuple(draft),
        first_at=conversation.first_at or (now if draft else None),
        last_at=now if said else conversation.last_at,
    )


# --- questions about a draft ---


def _lacks(conversation: Conversation) -> Saying | None:
    """
    What is to be asked about the draft and was not.
    """
    first_at = conversation.first_at
    if first_at is None or not conversation.asks:
        return None
    lacks = None
    if not any(map(has_words, conversation.draft)):
        lacks = Saying.DESCRIBE
    elif not any(said.location is not None or said.placed for said in conversation.draft):
        lacks = Saying.WHERE
    return None if lacks is None or conversation.spoke(lacks, first_at) else lacks


def _prompt_at(conversation: Conversation, rules: Rules) -> datetime | None:
    if conversation.last_at is None or conversation.asked is not None or _lacks(conversation) is None:
        return None
    return conversation.last_at + rules.pause


def _prompted(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    lacks = _lacks(conversation)
    return conversation if lacks is None else say(conversation, lacks, conversation.draft[-1], now, rules)


# --- the end of a draft ---


def _closes_at(conversation: Conversation, rules: Rules) -> datetime | None:
    first_at, last_at = conversation.first_at, conversation.last_at
    if first_at is None or last_at is None:
        return None
    if not conversation.asks or len(conversation.draft) >= MOST_IN_A_DRAFT:
        return first_at
    waits = any(file.waits for said in conversation.draft for file in said.files)
    if conversation.urgent_at is not None:
        return conversation.urgent_at + (rules.hurry if waits else timedelta(0))
    if conversation.asked is not None:
        return conversation.asked.at + rules.which_wait
    longest = first_at + rules.longest
    described = any(map(has_words, conversation.draft)) or not conversation.spoke(Saying.DESCRIBE, first_at)
    return longest if waits or not described else min(last_at + rules.quiet, longest)


def _closed(conversation: Conversation, now: datetime, rules: Rules) -> Conversation:
    last, urgent = conversation.draft[-1], conversation.urgent_at is not None
    if urgent:
        conversation = _prompted(conversation, now, rules)
    after = requested(conversation, now, rules)
    if not after.hidden or after.number_asked:
        return after
    return say(replace(after, number_asked=True), Saying.NUMBER, last, now, rules, request_id=after.made[-1].request_id)


# --- files ---


def fetched(
    conversation: Conversation, message_id: str, provider_id: str, attachment: str | None, now: datetime, rules: Rules
) -> Conversation:
    """
    The conversation with a file that is ours now; without one (None) it never will be, and who sent it hears so.
    """

    def found(file: File) -> File:
        return replace(file, attachment=attachment, refused=attachment is None, again_at=None)

    after = _with_file(conversation, message_id, provider_id, found)
    said = next((one for one in after.draft if one.id == message_id), None)
    if said is None or after.first_at is None:
        return after
    if attachment is None and not after.spoke(Saying.UNREADABLE, after.first_at):
        after = say(after, Saying.UNREADABLE, said, now, rules)
    return tick(after, now, rules)


def again(conversation: Conversation, message_id: str, provider_id: str, now: datetime) -> Conversation:
    """
    The conversation in which a file could not be had now: it is tried again after a pause that grows.
    """

    def later(file: File) -> File:
        pause = min(timedelta(seconds=2 ** min(file.tries, 10)), _LONGEST_PAUSE)
        return replace(file, tries=file.tries + 1, again_at=now + pause)

    return _with_file(conversation, message_id, provider_id, later)


def _with_file(
    conversation: Conversation, message_id: str, provider_id: str, change: Callable[[File], File]
) -> Conversation:
    def changed(said: Said) -> Said:
        files = [change(one) if one.provider_id == provider_id and one.waits else one for one in said.files]
        return replace(said, files=tuple(files))

    draft = tuple(changed(said) if said.id == message_id else said for said in conversation.draft)
    return conversation if draft == conversation.draft else replace(conversation, draft=draft)


# --- the outbox ---


def published(conversation: Conversation, done: Conversation) -> Conversation:
    """
    The conversation without what Kafka has: what was in the outbox of ``done``, an earlier view of it.
    """
    return replace(
        conversation,
        outbox=tuple(record for record in conversation.outbox if record not in done.outbox),
        ties=tuple(tie for tie in conversation.ties if tie not in done.ties),
    )
