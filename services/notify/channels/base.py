"""
What every sender promises.
"""

from typing import Protocol

from services.notify.messages import Message


class TemporaryError(Exception):
    """
    Not now: try again later. The text is a short code, without an address.
    """


class PermanentError(Exception):
    """
    Never: this message cannot be handed over. The text is a short code, without an address.
    """


class Sender(Protocol):
    """
    One channel. ``key`` is the same at every repeat of a message, so a repeat can be recognised on the other side.
    """

    async def send(self, to: str, message: Message, key: str) -> str | None:
        """
        Return the provider's id (if it gives one) once the provider is responsible for the message.

        Raises ``TemporaryError`` or ``PermanentError``. May be cancelled when its time is over.
        """
        ...

    async def close(self) -> None:
        """
        Let go of connections.
        """
        ...
