"""
A conversation as it is kept: what was written and is no request yet, what was asked, what became of the rest. Pure.

Nothing here holds an address or a name; words stand in it only until they became a request or a reply.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.common.contracts.envelope import Record
from services.common.contracts.events import Location
from services.common.contracts.vocabulary import Channel, Saying
from services.intake.calls.people import OwnRequest


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The times of a conversation. A draft becomes a request ``quiet`` after its last message and ``longest`` after its
    first; ``which_wait`` after a question that needs a choice. ``pause`` goes before a question about a draft, so that
    a photo, its place and its text may come one after the other; ``hurry`` is how long an emergency waits for its
    files; for ``late`` after a request what is written belongs to it.
    """

    secret: bytes = field(repr=False)
    quiet: timedelta = timedelta(seconds=120)
    longest: timedelta = timedelta(minutes=10)
    which_wait: timedelta = timedelta(minutes=10)
    pause: timedelta = timedelta(seconds=10)
    hurry: timedelta = timedelta(seconds=20)
    late: timedelta = timedelta(minutes=10)
    notice_again: timedelta = timedelta(days=180)

    def paced(self, pace: float) -> "Rules":
        """
        The rules of a clock that goes so many times as fast; only the privacy notice counts as long as ever.
        """
        return replace(
            self,
            quiet=self.quiet / pace,
            longest=self.longest / pace,
            which_wait=self.which_wait / pace,
            pause=self.pause / pace,
            hurry=self.hurry / pace,
            late=self.late / pace,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """
    What is known from elsewhere when a message comes.

    ``sent``: the request that each of our messages was about, of those the message answers. ``requests``: the person's
    (``own``) and any that the message names. ``danger``: its words report an emergency; ``place``: they name a place.
    """

    sent: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, OwnRequest] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    danger: bool = False
    place: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """
    A file in a message: ours once it has an ``attachment``; ``refused`` if it never will be. Until then it is to be
    fetched by ``provider_id``, next at ``again_at``.
    """

    provider_id: str | None = None
    attachment: str | None = None
    mime_type: str | None = None
    sha256: str | None = None
    refused: bool = False
    tries: int = 0
    again_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """
        Whether it is still to be fetched.
        """
        return self.attachment is None and not self.refused


@dataclass(frozen=True, slots=True)
class Said:
    """
    A message that is no request yet. ``adapter`` is who brought it, and who owns its files. ``placed``: its words name
    a place. ``changed``: the place in time of its sender's last change to it.
    """

    id: str
    provider_id: str
    sent_at: datetime
    received_at: datetime
    adapter: str
    text: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    location: Location | None = field(default=None, repr=False)
    files: tuple[File, ...] = ()
    placed: bool = False
    changed: tuple[datetime, str] | None = None

    @property
    def order(self) -> tuple[datetime, str]:
        """
        Its place among others: by the provider's time.
        """
        return self.sent_at, self.id


@dataclass(frozen=True, slots=True)
class Correction:
    """
    A message was changed to what is ``said`` now, or taken back (None), and has not come itself. ``at``: when we heard.
    """

    about: str
    at: datetime
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question with choices that is open: which request (``WHICH``), or what about a closed one (``CLOSED``).
    """

    say: Saying
    at: datetime
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """
    What the next words are for, because of a choice: a request's, why it is to be open again (``closing_seq``), or a
    new request's (no ``request_id``).
    """

    until: datetime
    request_id: str | None = None
    closing_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """
    A request that was made of this conversation.
    """

    request_id: str
    at: datetime
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """
    A message that had its effect, and the request it went to, if it did.
    """

    id: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """
    What was said when (and about which request).
    """

    say: Saying
    at: datetime
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tie:
    """
    Files that belong to a request in the outbox: to be tied to it before it is published.
    """

    request_id: str
    owner: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """
    A hash that the person had until they moved, by the provider's time. Later it may be anybody's.
    """

    hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """
    What is going on with one person on one channel.

    ``id`` never changes. ``person``, ``contact_id``: as the last message had them; ``aliases``: other hashes of the
    same person; ``left``: hashes that they had once; ``hidden``: a WhatsApp user whose number we do not see. ``draft``
    is sorted by the provider's time; ``first_at`` and ``last_at`` are when its first and last message came here,
    ``urgent_at`` when one told of danger. ``outbox``: what Kafka may not have yet. ``rev`` counts writes.
    """

    id: str
    person: str
    channel: Channel
    contact_id: str
    aliases: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()
    notice_at: datetime | None = None
    wish_at: datetime | None = None
    hidden: bool = False
    number_asked: bool = False
    draft: tuple[Said, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    urgent_at: datetime | None = None
    asked: Question | None = None
    next: Next | None = None
    corrections: tuple[Correction, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    made: tuple[Made, ...] = ()
    seen: tuple[Seen, ...] = ()
    ties: tuple[Tie, ...] = ()
    outbox: tuple[Record, ...] = ()
    rev: int = 0

    @property
    def asks(self) -> bool:
        """
        Whether questions are asked: a letter is answered by letters, hours later.
        """
        return self.channel is not Channel.EMAIL

    @property
    def fetch_at(self) -> datetime | None:
        """
        When the next file is to be fetched.
        """
        return min(
            (file.again_at for said in self.draft for file in said.files if file.waits and file.again_at), default=None
        )

    def had(self, name: str, at: datetime) -> bool:
        """
        Whether the person had this hash at that time and moved since.
        """
        return any(one.hash == name and at <= one.at for one in self.left)

    def names(self, at: datetime) -> frozenset[str]:
        """
        The hashes that were the person's when a message was sent.
        """
        return frozenset((self.person, *self.aliases, *(one.hash for one in self.left if at <= one.at)))

    def has_seen(self, message_id: str) -> bool:
        """
        Whether the message had its effect.
        """
        return any(seen.id == message_id for seen in self.seen)

    def request_of(self, message_id: str) -> str | None:
        """
        The request that a message went to.
        """
        return next((seen.request_id for seen in self.seen if seen.id == message_id), None)

    def spoke(self, say: Saying, since: datetime, request_id: str | None = None) -> bool:
        """
        Whether this was said since then.
        """
        return any((one.say, one.request_id) == (say, request_id) and one.at >= since for one in self.spoken)
