"""
SMS's real parts, as the settings have them.
"""

import httpx

from services.common.kit.clock import system_clock
from services.intake.conversations.inbound import Inbox
from services.intake.settings import IntakeSettings
from services.intake.sms.gateways import Gateways
from services.intake.sms.netgsm import NetgsmInbox


def gateways_of(settings: IntakeSettings, inbox: Inbox) -> Gateways:
    """
    The gateways that may bring SMS; perhaps none.
    """
    return Gateways(
        inbox=inbox,
        tokens={name: token.get_secret_value() for name, token in settings.sms_gateways.items()},
        own_numbers=settings.sms_own_numbers,
        secret=settings.secret,
        clock=system_clock,
    )


def inboxes_of(settings: IntakeSettings, http: httpx.AsyncClient, gateways: Gateways) -> tuple[NetgsmInbox, ...]:
    """
    The inboxes that are looked into.
    """
    user, password = settings.sms_netgsm_user, settings.sms_netgsm_password
    if user is None or password is None:
        return ()
    inbox = NetgsmInbox(
        http=http,
        url=settings.sms_netgsm_url,
        user=user,
        password=password.get_secret_value(),
        gateways=gateways,
        clock=system_clock,
        every=settings.sms_netgsm_every,
    )
    return (inbox,)
