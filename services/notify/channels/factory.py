"""
The senders as settings want them. What is not set up writes into files, so that development needs no provider.
"""

from collections.abc import Mapping

import httpx

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit.clock import Clock, system_clock
from services.notify.channels.alarm import MailAlarm
from services.notify.channels.base import PolledSender, Sender
from services.notify.channels.file import FileSender
from services.notify.channels.gate import Alarm, Gate, Pace, PolledGate
from services.notify.channels.sms_iletimerkezi import IletimerkeziSender
from services.notify.channels.sms_netgsm import NetgsmSender
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.channels.webhook import PartnersSender, WebhookSender
from services.notify.channels.whatsapp import WhatsAppSender
from services.notify.partners import Partner
from services.notify.settings import NotifySettings


def senders(
    settings: NotifySettings,
    partners: Mapping[str, Partner],
    client: httpx.AsyncClient,
    clock: Clock = system_clock,
) -> Mapping[NotifyVia, Sender]:
    """
    A sender for each channel, each provider behind a gate of its own. ``client`` (``http.new_client``) stays its
    maker's; the senders are closed by whoever gets them. The one for SMS is a ``Reports`` too if its gateway is asked.
    """
    files = (NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP)
    found: dict[NotifyVia, Sender] = {channel: FileSender(settings.outbox_dir, channel) for channel in files}
    given, alarm = settings.channels, None
    if (mail := _mail(settings)) is not None:
        post = SmtpSender(mail, clock)
        alarm = MailAlarm(post, given.alerted) if given.alerted else None
        found[NotifyVia.EMAIL] = Gate(post, NotifyVia.EMAIL, Pace(given.mail_rate), clock=clock)
    if given.whatsapp is not None:
        meta = WhatsAppSender(given.whatsapp, client, clock)
        found[NotifyVia.WHATSAPP] = Gate(meta, NotifyVia.WHATSAPP, Pace(given.whatsapp_rate), alarm, clock)
    if (gateway := _gateway(settings, client, clock)) is not None:
        found[NotifyVia.SMS] = PolledGate(gateway, NotifyVia.SMS, Pace(given.sms_rate), alarm, clock)
    found[NotifyVia.WEBHOOK] = _webhooks(settings, partners, client, alarm, clock)
    return found


def _mail(settings: NotifySettings) -> SmtpSettings | None:
    if not settings.smtp_host:
        return None
    password = settings.smtp_password
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        from_address=settings.mail_from,
        from_name=settings.municipality_tr,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
        connections=settings.smtp_connections,
    )


def _gateway(settings: NotifySettings, client: httpx.AsyncClient, clock: Clock) -> PolledSender | None:
    account = settings.channels.sms
    if account is None:
        return None
    if settings.channels.sms_gateway == "netgsm":
        return NetgsmSender(account, client, clock)
    return IletimerkeziSender(account, client, clock)


def _webhooks(
    settings: NotifySettings,
    partners: Mapping[str, Partner],
    client: httpx.AsyncClient,
    alarm: Alarm | None,
    clock: Clock,
) -> PartnersSender:
    pace = Pace(settings.channels.partner_rate)
    gates = {}
    for name, partner in partners.items():
        sender = WebhookSender(partner, client, clock)
        gates[name] = Gate(sender, f"{NotifyVia.WEBHOOK}:{name}", pace, alarm, clock)
    return PartnersSender(gates)
