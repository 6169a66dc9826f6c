"""
The mail that staff get when a channel needs them.
"""

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from services.common.contracts.ids import derived_id
from services.notify.channels.base import Letter, Sender
from services.notify.messages import Message

_ISTANBUL: Final = ZoneInfo("Europe/Istanbul")
_TEXT: Final = """\
{channel} kanalından mesaj gönderilemiyor.

Ne zamandan beri: {since}
Sağlayıcının kodu: {code}

Mesajlar bekletiliyor ve yeniden deneniyor; süresi dolanlar başka kanaldan gönderilir. Hesabı, krediyi, şablonları ve
sağlayıcının durum sayfasını kontrol ediniz. Bu kesinti için başka e-posta gönderilmeyecektir.

--

Messages cannot be sent by {channel} since {since} (the provider's code: {code}). They are kept and tried again. Please
look at the account, the credit, the templates and the provider's status page. No other mail is sent for this outage.
"""


class MailAlarm:
    """
    Writes to staff by a mail sender, without its gate: mail being down is said by mail to nobody.
    """

    def __init__(self, sender: Sender, to: Sequence[str]) -> None:
        self._sender = sender
        self._to = to

    async def __call__(self, channel: str, code: str, since: datetime, /) -> None:
        """
        One mail to each, the same at a repeat.
        """
        local = since.astimezone(_ISTANBUL)
        text = _TEXT.format(channel=channel, code=code, since=f"{local:%d.%m.%Y %H.%M}")
        subject = f"İLKİM: {channel} kanalı çalışmıyor ({code})"
        page = f'<pre style="font: inherit; white-space: pre-wrap">{html.escape(text)}</pre>'
        for to in self._to:
            key = derived_id("alarm", channel, code, since.isoformat(), to)
            await self._sender.send(Letter(to, Message(subject, text, page, subject), key))
