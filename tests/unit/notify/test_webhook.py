"""
Webhooks to partners, and the file that names them.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.channels.http import new_client
from services.notify.channels.webhook import PartnersSender, WebhookSender
from services.notify.messages import Message
from services.notify.partners import PARTNERS_FILE, BrokenPartners, Partner, load_partners
from tests.standins.faults import Fault
from tests.standins.webhook import SECRET, StandInPartner, stand_in_partner

TOLD = {"type": "request.closed", "data": {"request_id": "7XK29MQ4T3BDM", "public_text": "Çukur onarıldı"}}
MESSAGE = Message("", "", "", "", data=TOLD)
LETTER = Letter("muhtar-app", MESSAGE, "notify-key-1")


@pytest.fixture
async def partner() -> AsyncIterator[StandInPartner]:
    async with stand_in_partner() as running:
        yield running


@pytest.fixture
async def sender(partner: StandInPartner) -> AsyncIterator[PartnersSender]:
    async with new_client() as client:
        yield PartnersSender({"muhtar-app": WebhookSender(Partner(partner.url, SECRET), client)})


async def test_the_partners_library_takes_our_signature(partner: StandInPartner, sender: PartnersSender) -> None:
    assert await sender.send(LETTER) is None
    assert partner.heard == [("notify-key-1", TOLD)]


async def test_another_secret_is_not_taken(partner: StandInPartner, sender: PartnersSender) -> None:
    partner.secret = "whsec_" + "A" * 32
    with pytest.raises(TemporaryError, match="http_401"):
        await sender.send(LETTER)
    assert partner.heard == []


async def test_a_repeat_is_known_by_its_id(partner: StandInPartner, sender: PartnersSender) -> None:
    partner.faults.then(Fault.LOST)
    with pytest.raises(TimeoutError):
        await sender.send(LETTER)
    await sender.send(LETTER)
    assert [webhook_id for webhook_id, _ in partner.heard] == ["notify-key-1"] * 2


@pytest.mark.parametrize("status", [404, 410, 301, 302, 307, 308])
async def test_gone_is_gone_and_nobody_is_followed(
    partner: StandInPartner, sender: PartnersSender, status: int
) -> None:
    partner.headers = {"Location": partner.url}
    partner.faults.then(status)
    with pytest.raises(PermanentError, match=f"http_{status}"):
        await sender.send(LETTER)
    assert partner.heard == []


@pytest.mark.parametrize("status", [400, 429, 500, 502, 503])
async def test_what_can_be_mended_is_tried_again(partner: StandInPartner, sender: PartnersSender, status: int) -> None:
    partner.faults.then(status)
    with pytest.raises(TemporaryError, match=f"http_{status}"):
        await sender.send(LETTER)


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("120", timedelta(seconds=120), timedelta(seconds=120)),
        ("999999", timedelta(hours=1), timedelta(hours=1)),
        ("in nine minutes", timedelta(minutes=1), timedelta(minutes=9)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta(0), timedelta(0)),
    ],
)
async def test_retry_after_is_obeyed_within_an_hour(
    partner: StandInPartner, sender: PartnersSender, given: str, least: timedelta, most: timedelta
) -> None:
    if given == "in nine minutes":
        given = format_datetime(datetime.now(UTC) + timedelta(minutes=9), usegmt=True)
    partner.headers = {"Retry-After": given}
    partner.faults.then(429)
    with pytest.raises(TemporaryError) as error:
        await sender.send(LETTER)
    assert error.value.after is not None
    assert least <= error.value.after <= most


@pytest.mark.parametrize("given", ["soon", "-5", "Wed, 21 Oct 2015"])
async def test_a_retry_after_that_is_none_says_nothing(
    partner: StandInPartner, sender: PartnersSender, given: str
) -> None:
    partner.headers = {"Retry-After": given}
    partner.faults.then(503)
    with pytest.raises(TemporaryError) as error:
        await sender.send(LETTER)
    assert error.value.after is None


async def test_nobody_is_told_whom_the_file_does_not_name(sender: PartnersSender) -> None:
    with pytest.raises(PermanentError, match="no_such_partner"):
        await sender.send(replace(LETTER, to="cimer"))
    with pytest.raises(PermanentError, match="nothing_to_tell"):
        await sender.send(replace(LETTER, message=replace(MESSAGE, data=None)))


# --- the file ---


def test_a_secret_of_nobody_is_a_mistake() -> None:
    with pytest.raises(BrokenPartners, match=r"muhtar-app is not in partners\.yaml"):
        load_partners(PARTNERS_FILE, {"muhtar-app": SECRET})


def test_the_file_that_comes_with_notify_names_nobody() -> None:
    assert load_partners(PARTNERS_FILE, {}) == {}


def _load(tmp_path: Path, name: str, url: str, secret: str | None = SECRET) -> object:
    file = tmp_path / "partners.yaml"
    file.write_text(f"{name}:\n  url: {url}\n", encoding="utf-8")
    return load_partners(file, {} if secret is None else {name: secret})


@pytest.mark.parametrize(
    "url", ["https://muhtar.example/hooks", "http://127.0.0.1:9/h", "http://localhost:9/h", "http://[::1]/"]
)
def test_partners_are_reached_over_tls(tmp_path: Path, url: str) -> None:
    assert _load(tmp_path, "muhtar-app", url) == {"muhtar-app": Partner(url, SECRET)}


@pytest.mark.parametrize(
    ("name", "url", "secret", "wrong"),
    [
        ("muhtar-app", "http://muhtar.example/hooks", SECRET, "muhtar-app: url: https"),
        ("muhtar-app", "http://10.0.0.1/hooks", SECRET, "muhtar-app: url: https"),
        ("muhtar-app", "ftp://127.0.0.1/hooks", SECRET, "muhtar-app: url: https"),
        ("muhtar-app", "https://user:word@muhtar.example/", SECRET, "without user"),
        ("muhtar-app", "https:///hooks", SECRET, "muhtar-app: url"),
        ("Muhtar App", "https://muhtar.example/", SECRET, "name is an adapter's"),
        ("muhtar-app", "https://muhtar.example/", None, "muhtar-app: NOTIFY_PARTNER_SECRETS has no"),
        ("muhtar-app", "https://muhtar.example/", "hunter2", "muhtar-app: its secret is not whsec_"),
        ("muhtar-app", "https://muhtar.example/", "whsec_c2hvcnQ=", "24 to 64 bytes"),
        ("muhtar-app", "https://muhtar.example/", "whsec_???", "24 to 64 bytes"),
    ],
)
def test_a_broken_file_says_what_is_wrong(tmp_path: Path, name: str, url: str, secret: str | None, wrong: str) -> None:
    with pytest.raises(BrokenPartners, match=wrong) as error:
        _load(tmp_path, name, url, secret)
    assert secret is None or secret not in str(error.value)


@pytest.mark.parametrize("text", ["- a", "a: {}", "a: {url: x, more: z}", "a: ["])
def test_what_is_no_list_of_partners_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "partners.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenPartners, match=r"^partners\.yaml: "):
        load_partners(file, {})
