"""
What every sender promises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from services.common.contracts.vocabulary import DeliveryStatus
from services.notify.messages import Message


class TemporaryError(Exception):
    """
    Not now: try again later, not before ``after`` if the provider named a time. The text is a short code, without an
    address. ``alone``: it is about this message, not about the provider, which works. ``alert``: a person has to mend
    something first, our account with the provider for instance.
    """

    def __init__(self, code: str, after: timedelta | None = None, *, alone: bool = False, alert: bool = False) -> None:
        super().__init__(code)
        self.after = after
        self.alone = alone
        self.alert = alert


class PermanentError(Exception):
    """
    Never: this message cannot be handed over. The text is a short code, without an address. ``elsewhere``: the person
    may be reached on another channel; not so if the message itself is at fault. ``alert``: a person has to mend
    something, a template that the provider does not know for instance. ``asked``: it is the provider who says so.
    """

    def __init__(self, code: str, *, elsewhere: bool = False, alert: bool = False, asked: bool = True) -> None:
        super().__init__(code)
        self.elsewhere = elsewhere
        self.alert = alert
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A message on its way. ``key`` is the same at every repeat, so a repeat can be recognised on the other side.

    ``free``: the person wrote on WhatsApp within 24 hours, so it may be said in our own words there; else by template.
    ``answers``: the provider's name of the message to which it is the answer. ``thread``: the provider's names of what
    was said before about the same request, the oldest first.
    """

    to: str
    message: Message
    key: str
    free: bool = False
    answers: str | None = None
    thread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a provider says became of a message. ``code``: its own word for a failure.
    """

    status: DeliveryStatus
    code: str | None = None


class Sender(Protocol):
    """
    One channel.
    """

    async def send(self, letter: Letter, /) -> str | None:
        """
        Return the provider's id (if it gives one) once the provider is responsible for the message.

        Raises ``TemporaryError`` or ``PermanentError``; ``TimeoutError`` if nobody knows whether the provider took it.
        May be cancelled when its time is over.
        """
        ...

    async def close(self) -> None:
        """
        Let go of connections.
        """
        ...


@runtime_checkable
class Reports(Protocol):
    """
    A provider that has to be asked what became of messages.
    """

    async def reports(self, provider_ids: Sequence[str], /) -> Mapping[str, Report]:
        """
        What it says of these; nothing of those about which it says nothing yet. Raises ``TemporaryError``.
        """
        ...


class PolledSender(Sender, Reports, Protocol):
    """
    A channel whose provider has to be asked.
    """
