"""
Which sender each channel gets, and what wrong settings say.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from services.common.contracts.vocabulary import NotifyVia
from services.notify.channels.alarm import MailAlarm
from services.notify.channels.base import Letter, PermanentError, Reports, TemporaryError
from services.notify.channels.factory import senders
from services.notify.channels.file import FileSender
from services.notify.channels.gate import Gate
from services.notify.channels.http import new_client
from services.notify.channels.settings import ChannelSettings
from services.notify.messages import Message
from services.notify.partners import BrokenPartners, Partner
from services.notify.settings import NotifySettings
from tests.standins.sms import PASSWORD, SENDER, USER, stand_in_sms
from tests.standins.webhook import SECRET, stand_in_partner
from tests.standins.whatsapp import PHONE_NUMBER_ID, TOKEN, stand_in_whatsapp

LETTER = Letter("905320001122", Message("", "", "", "Merhaba", data={"type": "request.closed"}), "k", free=True)
SMS = {"sms_user": USER, "sms_password": PASSWORD, "sms_sender": SENDER}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as opened:
        yield opened


def settings(tmp_path: Path, smtp_host: str = "", **channels: Any) -> NotifySettings:
    return NotifySettings(outbox_dir=tmp_path, smtp_host=smtp_host, channels=ChannelSettings(**channels))


async def test_where_nothing_is_set_up_all_goes_into_files(tmp_path: Path, client: httpx.AsyncClient) -> None:
    found = senders(settings(tmp_path), {}, client)
    written = {channel for channel, sender in found.items() if isinstance(sender, FileSender)}
    assert written == {NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP}
    assert not any(isinstance(sender, Reports) for sender in found.values())
    with pytest.raises(PermanentError, match="no_such_partner"):
        await found[NotifyVia.WEBHOOK].send(LETTER)


async def test_a_mail_server_alone_is_as_it_was(tmp_path: Path, client: httpx.AsyncClient) -> None:
    found = senders(settings(tmp_path, smtp_host="127.0.0.1"), {}, client)
    assert isinstance(found[NotifyVia.EMAIL], Gate)
    assert isinstance(found[NotifyVia.SMS], FileSender)


async def test_whatsapp_goes_to_meta(tmp_path: Path, client: httpx.AsyncClient) -> None:
    async with stand_in_whatsapp() as meta:
        given = settings(
            tmp_path, whatsapp_url=meta.url, whatsapp_phone_number_id=PHONE_NUMBER_ID, whatsapp_token=TOKEN
        )
        assert await senders(given, {}, client)[NotifyVia.WHATSAPP].send(LETTER) == meta.taken[0].id


@pytest.mark.parametrize("gateway", ["netgsm", "iletimerkezi"])
async def test_sms_goes_to_the_gateway_that_is_named_and_can_be_asked(
    tmp_path: Path, client: httpx.AsyncClient, gateway: str
) -> None:
    async with stand_in_sms() as sms:
        found = senders(settings(tmp_path, sms_gateway=gateway, sms_url=sms.url, **SMS), {}, client)
        sender = found[NotifyVia.SMS]
        name = await sender.send(Letter("+905320001122", LETTER.message, "k"))
        assert isinstance(sender, Reports)
        assert list(await sender.reports([str(name)])) == [sms.texted[0].id]


async def test_one_partner_that_is_down_is_no_matter_of_another(tmp_path: Path, client: httpx.AsyncClient) -> None:
    async with stand_in_partner() as partner:
        partners = {"a": Partner("http://127.0.0.1:9/", SECRET), "b": Partner(partner.url, SECRET)}
        webhooks = senders(settings(tmp_path), partners, client)[NotifyVia.WEBHOOK]
        codes = []
        for _ in range(6):
            with pytest.raises(TemporaryError) as error:
                await webhooks.send(Letter("a", LETTER.message, "k"))
            codes.append(str(error.value))
        assert codes == ["unreachable"] * 5 + ["breaker_open"]
        await webhooks.send(Letter("b", LETTER.message, "k"))
        assert partner.heard == [("k", {"type": "request.closed"})]


async def test_staff_get_the_alarm_as_one_mail_each(tmp_path: Path) -> None:
    post = FileSender(tmp_path, NotifyVia.EMAIL)
    alarm = MailAlarm(post, ("bilgi-islem@example.org", "nobetci@example.org"))
    for _ in range(2):
        await alarm("sms", "netgsm_30", datetime(2026, 11, 28, 9, 0, tzinfo=UTC))
    mails = [file.read_text(encoding="utf-8") for file in sorted((tmp_path / "email").glob("*.json"))]
    assert len(mails) == 2
    assert all("sms kanalında sorun (netgsm_30)" in mail and "28.11.2026 12.00" in mail for mail in mails)


# --- what wrong settings say ---


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"whatsapp_token": TOKEN}, "NOTIFY_WHATSAPP_PHONE_NUMBER_ID"),
        ({"whatsapp_phone_number_id": "106540352242922"}, "NOTIFY_WHATSAPP_TOKEN"),
        ({"whatsapp_phone_number_id": "0505 178"}, "whatsapp_phone_number_id"),
        ({"whatsapp_url": "graph.facebook.com"}, "whatsapp_url"),
        ({"sms_gateway": "netgsm", "sms_user": USER}, "NOTIFY_SMS_PASSWORD, NOTIFY_SMS_SENDER"),
        ({"sms_gateway": "turkcell"}, "netgsm"),
        ({"sms_sender": "ILKADIMBELEDIYESI"}, "sms_sender"),
        ({"sms_rate": 0}, "sms_rate"),
        ({"alert_to": "bilgi-islem"}, "NOTIFY_ALERT_TO"),
    ],
)
def test_wrong_settings_are_named(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        ChannelSettings(**given)


def test_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "partners.yaml"
    file.write_text("muhtar-app: {url: 'https://muhtar.example/'}", encoding="utf-8")
    monkeypatch.setenv("NOTIFY_PARTNERS_FILE", str(file))
    monkeypatch.setenv("NOTIFY_ALERT_TO", "bilgi-islem@example.org, nobetci@example.org")
    monkeypatch.setenv("NOTIFY_SMS_GATEWAY", "netgsm")
    for name, value in SMS.items():
        monkeypatch.setenv(f"NOTIFY_{name.upper()}", value)
    given = NotifySettings().channels
    assert given.alerted == ("bilgi-islem@example.org", "nobetci@example.org")
    assert given.sms is not None
    assert given.sms.url == "https://api.netgsm.com.tr"
    assert PASSWORD not in repr(given)
    with pytest.raises(BrokenPartners, match="no secret for it"):
        given.partners()
    monkeypatch.setenv("NOTIFY_PARTNER_SECRETS", json.dumps({"muhtar-app": SECRET}))
    given = NotifySettings().channels
    assert given.partners() == {"muhtar-app": Partner("https://muhtar.example/", SECRET)}
    assert SECRET not in repr(given)
