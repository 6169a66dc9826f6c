"""
On which channel a citizen is written to. Pure.
"""

from functools import lru_cache
from typing import Final

import phonenumbers

from services.common.contracts.vocabulary import NotifyVia
from services.notify.domain import PARTNER, Contact, Reason

# In this order, if the citizen named no wish or the wish cannot be met: the written channel people look at soonest.
PREFERRED: Final = (NotifyVia.WHATSAPP, NotifyVia.SMS, NotifyVia.EMAIL)
_MOBILE: Final = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)


@lru_cache(maxsize=4096)
def takes_sms(phone: str) -> bool:
    """
    Whether the number (E.164) is a mobile one. A landline or a 444 number is not.
    """
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(number) in _MOBILE


def address_of(contact: Contact, channel: NotifyVia) -> str | None:
    """
    Where a message on this channel goes, or None if the contact cannot be reached so. Of a partner's system it is the
    partner's name.
    """
    if channel is NotifyVia.EMAIL:
        return contact.email
    if channel is NotifyVia.WHATSAPP:
        return contact.whatsapp_id
    if channel is NotifyVia.SMS and contact.phone and takes_sms(contact.phone):
        return contact.phone
    if channel is NotifyVia.WEBHOOK and contact.id.startswith(PARTNER):
        return contact.id.removeprefix(PARTNER)
    return None


def channels(contact: Contact) -> tuple[NotifyVia, ...]:
    """
    The channels on which a contact can be reached, in the order in which they are tried: its wish, then WhatsApp, SMS
    and mail. The channel of a conversation is its contact's wish. Whether it wants to be written to is not asked here.
    """
    wish = (contact.notify_via,) if contact.notify_via else ()
    return tuple(
        channel for channel in dict.fromkeys((*wish, *PREFERRED, NotifyVia.WEBHOOK)) if address_of(contact, channel)
    )


def choose(contact: Contact, *, statutory: bool = False) -> NotifyVia | Reason:
    """
    The channel to write on, or why nothing is written. What the law wants told (``statutory``) is told to whom wishes
    ``none`` as well.

    | contact                                       | answer                                  |
    |-----------------------------------------------|-----------------------------------------|
    | erased                                        | erased                                  |
    | wishes ``none``, and the law does not want it | not_wanted                              |
    | wishes ``phone``                              | phone_only (the call-back list)         |
    | wishes a channel on which it can be reached   | that channel                            |
    | otherwise                                     | the first reachable of whatsapp, sms, email |
    | only a landline or 444 number                 | phone_only                              |
    | nothing at all                                | no_address                              |
    """
    if contact.erased:
        return Reason.ERASED
    if contact.notify_via is NotifyVia.NONE and not statutory:
        return Reason.NOT_WANTED
    if contact.notify_via is NotifyVia.PHONE:
        return Reason.PHONE_ONLY
    reachable = channels(contact)
    if reachable:
        return reachable[0]
    return Reason.PHONE_ONLY if contact.phone else Reason.NO_ADDRESS
