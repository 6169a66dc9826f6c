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
{channel} kanalında bir sorun var: mesajların bir kısmı ya da hiçbiri gönderilemiyor.

Ne zamandan beri: {since}
Sağlayıcının kodu: {code}

Gönderilemeyenler yeniden denenir, süresi dolanlar başka kanaldan gönderilir. Lütfen sağlayıcıdaki hesabı, krediyi,
şablonları ve sağlayıcının durum sayfasını kontrol ediniz. Bu sorun sürerken bugün başka e-posta gönderilmez.

--

Since {since} some messages, or none at all, can be sent by {channel} (the provider's code: {code}). They are tried
again, and go by another channel when their time is over. Please look at our account there, the credit, the templates
and the provider's status page. As long as it lasts no other mail is sent today.
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
        subject = f"İLKİM: {channel} kanalında sorun ({code})"
        page = f'<pre style="font: inherit; white-space: pre-wrap">{html.escape(text)}</pre>'
        for to in self._to:
            key = derived_id("alarm", channel, code, since.isoformat(), to)
            await self._sender.send(Letter(to, Message(subject, text, page, subject), key))
