"""
What both Turkish SMS gateways need: a number as they write it, and the words of a message that has only an SMS. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

from services.notify.channels.base import PermanentError
from services.notify.channels.gsm7 import fit
from services.notify.domain import Reason
from services.notify.messages import Message

SEGMENTS: Final = 3
SEGMENTS_WITH_CHOICES: Final = 6
_TURKISH_MOBILE: Final = re.compile(r"\+90(5[0-9]{9})")


@dataclass(frozen=True, slots=True)
class SmsSettings:
    """
    The gateway's address, our account there, and the registered name that the messages come from. İletimerkezi calls
    the two halves of an account key and hash; its panel gives both.
    """

    url: str
    user: str
    password: str
    sender: str


def national(to: str) -> str:
    """
    A Turkish mobile number (E.164) as ten digits. Raises ``PermanentError`` for all others: the gateways' documented
    forms have no place for them.
    """
    match = _TURKISH_MOBILE.fullmatch(to)
    if match is None:
        raise PermanentError(Reason.BAD_ADDRESS, elsewhere=True, asked=False)
    return match[1]


def words(message: Message) -> str:
    """
    The short text in few segments. What can be chosen stands in it as numbered lines, so it may take more.
    """
    return fit(message.short, SEGMENTS_WITH_CHOICES if message.choices else SEGMENTS)
