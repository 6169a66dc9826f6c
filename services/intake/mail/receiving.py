"""
What becomes of a mail: its files are looked at and kept, then its words; or what it reports of a mail of ours.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from services.common.contracts.events import Media
from services.common.contracts.vocabulary import Channel, MessageKind
from services.common.kit import metrics
from services.common.kit.auth import Caller
from services.common.kit.clock import Clock
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.service import Attachments
from services.intake.conversations.inbound import MOST_TEXT, Delivery, Inbound, Inbox, Party, wish_of
from services.intake.domain import Refused
from services.intake.mail.automatic import Nature, Returned
from services.intake.mail.mime import File, Letter, Remark, read

ADAPTER: Final = Channel.EMAIL.value
_CALLER: Final = Caller(ADAPTER, frozenset({"requests:write"}), frozenset())
_AT_ONCE: Final = 2
_REMARKS: Final = 20
_LONGEST_KEY: Final = 200  # ours have 32; a forged one may have any
_UNDER: Final = 4_000  # characters for remarks
_TOO_LARGE: Final = f"{MAX_BYTES // 1_048_576} MB'den büyük"
_NOT_TAKEN: Final = "yalnızca sağlam JPEG, PNG, WebP, GIF ve PDF alınır"
_CUT: Final = "(Metnin devamı alınmadı.)"


class Postroom:
    """
    Takes mails. ``ours``: the addresses that we write from and are written to, in lower case.
    """

    def __init__(self, inbox: Inbox, files: Attachments, ours: Collection[str], clock: Clock) -> None:
        self._inbox = inbox
        self._files = files
        self._ours = frozenset(ours)
        self._clock = clock
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def take(self, raw: bytes, envelope_sender: str) -> None:
        """
        Return when everything that the mail means is kept. A mail that comes again is the same message with the same
        files. Raises ``Unreadable`` for what can never be taken; ``Later``, ``Away`` or what the inbox raises for what
        cannot be taken now.
        """
        async with self._places:
            letter = await asyncio.to_thread(read, raw, envelope_sender, self._ours)
            match letter.nature:
                case Nature.LETTER:
                    await self._inbox.take(await self._with_files(letter))
                case Nature.BOUNCE:
                    for report in letter.returned:
                        await self._inbox.report(delivery_of(report, self._clock()))
        metrics.mails_total.labels(letter.nature).inc()

    async def _with_files(self, letter: Letter) -> Inbound:
        kept = [await self._keep(file) for file in letter.files]
        media = [one for one in kept if isinstance(one, Media)]
        return inbound_of(letter, media, [one for one in kept if isinstance(one, Remark)], self._clock())

    async def _keep(self, file: File) -> Media | Remark:
        """
        The file as kept, or why it is not. Raises ``Later`` or ``Away``.
        """
        try:
            taken = await self._files.take(file.content, _CALLER)
        except Refused:
            return Remark(file.name, _TOO_LARGE if len(file.content) > MAX_BYTES else _NOT_TAKEN)
        return Media(attachment=taken.attachment.id, mime_type=taken.attachment.kind)


def inbound_of(letter: Letter, media: Sequence[Media], refused: Sequence[Remark], now: datetime) -> Inbound:
    """
    A person's letter, its files kept or refused, as a message. Of a mail without words the subject is the wish, if it
    is one.
    """
    words = _with_remarks(letter.words, [*letter.remarks, *refused])
    return Inbound(
        channel=Channel.EMAIL,
        adapter=ADAPTER,
        provider_id=letter.message_id,
        sender=Party(email=letter.sender, name=letter.name or None),
        kind=MessageKind.MEDIA if media else MessageKind.TEXT,
        sent_at=letter.sent_at or now,
        text=words or (letter.subject if wish_of(letter.subject) else None),
        subject=letter.subject,
        media=tuple(media),
        reply_to=letter.reply_to,
    )


def delivery_of(report: Returned, now: datetime) -> Delivery:
    """
    What a mail server says of a mail of ours, as a provider's report.
    """
    key = report.message_id.strip("<>").rpartition("@")[0]
    return Delivery(
        channel=Channel.EMAIL,
        to=Party(email=report.recipient),
        provider_id=report.message_id,
        key_sent=key if len(key) <= _LONGEST_KEY else None,
        status=report.status,
        code=report.code,
        reported_at=now,
    )


def _with_remarks(words: str, remarks: Sequence[Remark]) -> str:
    """
    The words, and below them what of the mail was not taken.
    """
    told = [f"(Alınamayan ek: {remark.name or 'adsız'}: {remark.why})" for remark in remarks[:_REMARKS]]
    if len(remarks) > _REMARKS:
        told.append(f"({len(remarks) - _REMARKS} ek daha alınamadı.)")
    room = MOST_TEXT - _UNDER
    if len(words) > room:
        words, told = words[:room].rstrip(), [_CUT, *told]
    return "\n".join(filter(None, (words, *told)))
