"""
Both SMS gateways against their stand-in: what is sent, what comes back, and what is said of it later.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.vocabulary import DeliveryStatus
from services.notify.channels.base import Letter, PermanentError, Report, Reports, TemporaryError
from services.notify.channels.gsm7 import OPERATOR_CODE, measure
from services.notify.channels.http import new_client
from services.notify.channels.sms import SEGMENTS, SEGMENTS_WITH_CHOICES, SmsSettings, national, words
from services.notify.channels.sms_iletimerkezi import IletimerkeziSender
from services.notify.channels.sms_netgsm import NetgsmSender
from services.notify.messages import Choice, Message
from tests.standins.faults import Fault
from tests.standins.sms import PASSWORD, SENDER, USER, StandInSms, stand_in_sms

AYSE, NUMBER = "+905320001122", "5320001122"
MESSAGE = Message("", "", "", "7XK2-9MQ4-T3BD-M no'lu talebiniz alindi.")
TURKISH = replace(MESSAGE, short="Başvurunuz alındı…")
SmsSender = NetgsmSender | IletimerkeziSender
Connect = Callable[..., SmsSender]


@pytest.fixture
async def sms() -> AsyncIterator[StandInSms]:
    async with stand_in_sms() as running:
        yield running


@pytest.fixture(params=[NetgsmSender, IletimerkeziSender])
async def connect(request: pytest.FixtureRequest, sms: StandInSms) -> AsyncIterator[Connect]:
    async with new_client() as client:
        yield lambda **given: request.param(replace(SmsSettings(sms.url, USER, PASSWORD, SENDER), **given), client)


@pytest.fixture
async def netgsm(sms: StandInSms) -> AsyncIterator[NetgsmSender]:
    async with new_client() as client:
        yield NetgsmSender(SmsSettings(sms.url, USER, PASSWORD, SENDER), client)


@pytest.fixture
async def merkez(sms: StandInSms) -> AsyncIterator[IletimerkeziSender]:
    async with new_client() as client:
        yield IletimerkeziSender(SmsSettings(sms.url, USER, PASSWORD, SENDER), client)


# --- what both do ---


async def test_the_gateway_takes_it_and_gives_its_name(sms: StandInSms, connect: Connect) -> None:
    sender = connect()
    assert await sender.send(Letter(AYSE, TURKISH, "k")) == sms.texted[0].id
    assert sms.to(NUMBER) == ["Başvurunuz alındı..."]
    assert isinstance(sender, Reports)


@pytest.mark.parametrize(
    ("status", "report"), [(0, None), (1, DeliveryStatus.DELIVERED), (2, DeliveryStatus.FAILED), (15, "failed")]
)
async def test_what_became_of_it(sms: StandInSms, connect: Connect, status: int, report: str | None) -> None:
    sms.status = status
    sender = connect()
    name = await sender.send(Letter(AYSE, MESSAGE, "k"))
    assert name is not None
    said = await sender.reports([name, "1"])
    assert {key: value.status for key, value in said.items()} == ({} if report is None else {name: report})
    assert all((value.code is not None) is (value.status == "failed") for value in said.values())


async def test_many_reports_are_asked_for_at_once(sms: StandInSms, connect: Connect) -> None:
    sender = connect()
    names = [str(await sender.send(Letter(f"+9053200{n:05d}", MESSAGE, f"k{n}"))) for n in range(103)]
    said = await sender.reports(names)
    assert said == dict.fromkeys(names, Report(DeliveryStatus.DELIVERED))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.BROKEN])
async def test_nobody_knows_what_became_of_it(sms: StandInSms, connect: Connect, fault: Fault) -> None:
    sms.faults.then(fault)
    with pytest.raises(TimeoutError):
        await connect().send(Letter(AYSE, MESSAGE, "k"))


async def test_a_gateway_that_is_away_has_taken_nothing(sms: StandInSms, connect: Connect) -> None:
    sms.faults.then(Fault.AWAY)
    with pytest.raises(TemporaryError, match="http_503"):
        await connect().send(Letter(AYSE, MESSAGE, "k"))
    with pytest.raises(TemporaryError, match="unreachable"):
        await connect(url="http://127.0.0.1:9").send(Letter(AYSE, MESSAGE, "k"))
    with pytest.raises(TemporaryError, match="unreachable"):
        await connect(url="http://127.0.0.1:9").reports(["1"])
    assert sms.texted == []


@pytest.mark.parametrize("given", [{"password": "wrong"}, {"sender": "ANKARA"}])
async def test_our_account_is_for_a_person_to_mend(sms: StandInSms, connect: Connect, given: dict[str, str]) -> None:
    with pytest.raises(TemporaryError) as error:
        await connect(**given).send(Letter(AYSE, MESSAGE, "k"))
    assert error.value.alert
    assert error.value.after == timedelta(minutes=5)
    assert not error.value.alone


@pytest.mark.parametrize("to", ["+903624445501", "+4915112345678", "5320001122", "+90532000112", "ayse@example.com"])
def test_only_turkish_mobiles_are_written_to(to: str) -> None:
    with pytest.raises(PermanentError, match="bad_address") as refused:
        national(to)
    assert refused.value.elsewhere


@given(st.text(max_size=900), st.booleans())
def test_whatever_the_words_an_sms_has_few_segments(short: str, offered: bool) -> None:
    choices = (Choice("new", "Yeni bildirim"),) if offered else ()
    text = words(replace(MESSAGE, short=short, choices=choices))
    assert measure(text + OPERATOR_CODE).segments <= (SEGMENTS_WITH_CHOICES if offered else SEGMENTS)


# --- NetGSM ---


async def test_netgsm_hears_of_turkish_letters_and_of_nothing_else(sms: StandInSms, netgsm: NetgsmSender) -> None:
    await netgsm.send(Letter(AYSE, MESSAGE, "k"))
    await netgsm.send(Letter(AYSE, TURKISH, "k"))
    assert sms.asked[0] == {
        "msgheader": SENDER,
        "iysfilter": "0",
        "messages": [{"msg": MESSAGE.short, "no": NUMBER}],
    }
    assert sms.asked[1]["encoding"] == "TR"


@pytest.mark.parametrize(
    ("code", "kind", "after", "alone"),
    [
        (20, PermanentError, None, False),
        (70, PermanentError, None, False),
        (80, TemporaryError, timedelta(minutes=1), False),
        (85, TemporaryError, timedelta(minutes=1), True),
        (100, TemporaryError, None, False),
        (5000, TemporaryError, None, False),
    ],
)
async def test_netgsms_code_decides(
    sms: StandInSms, netgsm: NetgsmSender, code: int, kind: type[Exception], after: timedelta | None, alone: bool
) -> None:
    sms.faults.then(code)
    with pytest.raises(kind, match=f"^netgsm_{code}$") as error:
        await netgsm.send(Letter(AYSE, MESSAGE, "k"))
    assert getattr(error.value, "after", None) == after
    assert getattr(error.value, "alone", False) is alone


async def test_a_duplicate_at_netgsm_is_no_failure(sms: StandInSms, netgsm: NetgsmSender) -> None:
    sms.status = 13
    name = str(await netgsm.send(Letter(AYSE, MESSAGE, "k")))
    assert await netgsm.reports([name]) == {name: Report(DeliveryStatus.SENT)}


# --- İletimerkezi ---


async def test_iletimerkezi_gets_an_order(sms: StandInSms, merkez: IletimerkeziSender) -> None:
    await merkez.send(Letter(AYSE, TURKISH, "k"))
    order = {
        "sender": SENDER,
        "sendDateTime": [],
        "iys": "0",
        "message": {"text": "Başvurunuz alındı...", "receipents": {"number": [NUMBER]}},
    }
    assert sms.asked == [{"authentication": {"key": USER, "hash": PASSWORD}, "order": order}]


async def test_a_repeated_order_is_one_sms(sms: StandInSms, merkez: IletimerkeziSender) -> None:
    sms.faults.then(Fault.LOST)
    with pytest.raises(TimeoutError):
        await merkez.send(Letter(AYSE, MESSAGE, "k"))
    assert await merkez.send(Letter(AYSE, MESSAGE, "k")) is None
    assert len(sms.to(NUMBER)) == 1


@pytest.mark.parametrize(
    ("code", "kind", "alert"),
    [
        (452, PermanentError, False),
        (454, PermanentError, False),
        (402, TemporaryError, True),
        (503, TemporaryError, False),
    ],
)
async def test_iletimerkezis_code_decides(
    sms: StandInSms, merkez: IletimerkeziSender, code: int, kind: type[PermanentError | TemporaryError], alert: bool
) -> None:
    sms.faults.then(code)
    with pytest.raises(kind, match=f"^iletimerkezi_{code}$") as error:
        await merkez.send(Letter(AYSE, MESSAGE, "k"))
    assert error.value.alert is alert
