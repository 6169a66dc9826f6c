"""
The WhatsApp sender against a stand-in for Meta, and against somebody else's client (pywa) for the same messages.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pywa import WhatsApp
from pywa.types import Button, Section, SectionList, SectionRow
from pywa.types.templates import BodyText, QuickReplyButton, TemplateLanguage, URLButton

from services.common.contracts.vocabulary import Language
from services.notify.channels.base import Letter, PermanentError, TemporaryError
from services.notify.channels.http import new_client
from services.notify.channels.whatsapp import RULINGS, WhatsAppSender, WhatsAppSettings, payload
from services.notify.messages import Choice, Message, TemplateCall
from tests.standins.faults import Fault
from tests.standins.whatsapp import PHONE_NUMBER_ID, TOKEN, StandInWhatsApp, stand_in_whatsapp

AYSE = "905320001122"
HIDDEN = "TR.13491208655302741918"
PLAIN = Message("", "", "", "Başvurunuz alındı.")
BUTTONS = replace(PLAIN, choices=(Choice("reopen:X:7", "Yeniden aç"), Choice("new", "Yeni bildirim")))
ROWS = tuple(Choice(f"req:{n}", f"7XK2-9MQ4-T3BD-{n}", "Çöp alınmadı") for n in range(4))
LIST = replace(PLAIN, choices=ROWS, button="Başvuru seçin")
PLACE = replace(PLAIN, asks_place=True)
TEMPLATE = replace(
    PLAIN,
    template=TemplateCall("kapandi", Language.TR, ("7XK2-9MQ4-T3BD-M", "Onarıldı"), ("fb:yes", "fb:no"), "t/7XK2"),
)


@pytest.fixture
async def meta() -> AsyncIterator[StandInWhatsApp]:
    async with stand_in_whatsapp() as running:
        yield running


@pytest.fixture
async def sender(meta: StandInWhatsApp) -> AsyncIterator[WhatsAppSender]:
    async with new_client() as client:
        yield WhatsAppSender(WhatsAppSettings(meta.url, PHONE_NUMBER_ID, TOKEN), client)


# --- what is sent ---


async def test_meta_takes_every_kind_and_gives_its_name(meta: StandInWhatsApp, sender: WhatsAppSender) -> None:
    for number, message in enumerate((PLAIN, BUTTONS, LIST, PLACE)):
        letter = Letter(AYSE, message, f"k{number}", free=True, answers="wamid.in")
        assert await sender.send(letter) == meta.taken[-1].id
    await sender.send(Letter(HIDDEN, TEMPLATE, "k4"))
    assert [taken.key for taken in meta.taken] == [f"k{number}" for number in range(5)]
    assert [taken.to for taken in meta.taken] == [*[AYSE] * 4, HIDDEN]
    assert meta.taken[0].body["context"] == {"message_id": "wamid.in"}


@pytest.mark.parametrize(
    ("message", "free", "sent"),
    [
        (PLAIN, True, lambda wa, to: wa.send_message(to, PLAIN.short, tracker="k", reply_to_message_id="wamid.in")),
        (
            BUTTONS,
            True,
            lambda wa, to: wa.send_message(
                to,
                PLAIN.short,
                buttons=[Button(choice.title, callback_data=choice.id) for choice in BUTTONS.choices],
                tracker="k",
                reply_to_message_id="wamid.in",
            ),
        ),
        (
            LIST,
            True,
            lambda wa, to: wa.send_message(
                to,
                PLAIN.short,
                buttons=SectionList(
                    "Başvuru seçin",
                    [
                        Section(
                            "Başvuru seçin",
                            [SectionRow(row.title, callback_data=row.id, description=row.description) for row in ROWS],
                        )
                    ],
                ),
                tracker="k",
                reply_to_message_id="wamid.in",
            ),
        ),
        (
            PLACE,
            True,
            lambda wa, to: wa.request_location(to, PLAIN.short, tracker="k", reply_to_message_id="wamid.in"),
        ),
        (
            TEMPLATE,
            False,
            lambda wa, to: wa.send_template(
                to,
                "kapandi",
                TemplateLanguage.TURKISH,
                [
                    BodyText.params("7XK2-9MQ4-T3BD-M", "Onarıldı"),
                    QuickReplyButton.params(callback_data="fb:yes", index=0),
                    QuickReplyButton.params(callback_data="fb:no", index=1),
                    URLButton.params(url_variable="t/7XK2", index=2),
                ],
                tracker="k",
                reply_to_message_id="wamid.in",
            ),
        ),
    ],
    ids=["text", "buttons", "list", "place", "template"],
)
@pytest.mark.parametrize("to", [AYSE, HIDDEN])
async def test_somebody_elses_client_sends_the_same(
    meta: StandInWhatsApp, message: Message, free: bool, sent: Callable[[WhatsApp, str], Any], to: str
) -> None:
    def by_pywa() -> None:
        with httpx.Client() as session:
            client = WhatsApp(phone_id=PHONE_NUMBER_ID, token=TOKEN, session=session)
            session.base_url = httpx.URL(meta.url)
            sent(client, to)

    await asyncio.to_thread(by_pywa)
    (theirs,) = meta.asked
    ours = payload(Letter(to, message, "k", free=free, answers="wamid.in"))
    assert _comparable(ours) == _comparable(theirs)


def _comparable(body: Any) -> Any:
    """
    Graph takes a button's number as text too, and the kinds of a template's parts in any case.
    """
    if isinstance(body, dict):
        loose = {"index": str, "type": str.lower, "sub_type": str.lower}
        return {name: loose.get(name, _comparable)(value) for name, value in body.items()}
    return [_comparable(part) for part in body] if isinstance(body, list | tuple) else body


async def test_long_words_become_a_list(meta: StandInWhatsApp, sender: WhatsAppSender) -> None:
    choices = (Choice("req:1", "7XK2-9MQ4-T3BD-M Çöp alınmadı"), Choice("new", "Yeni bildirim"))
    await sender.send(Letter(AYSE, replace(PLAIN, choices=choices), "k", free=True))
    interactive = meta.taken[0].body["interactive"]
    assert interactive["type"] == "list"
    assert interactive["action"]["button"] == "Seçin"
    assert interactive["action"]["sections"][0]["rows"][0]["title"] == "7XK2-9MQ4-T3BD-M Çöp…"


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=2_000).filter(str.strip)
CHOICES = st.lists(st.tuples(WORDS, st.text(max_size=100)), max_size=12)


@given(WORDS, CHOICES, st.booleans())
def test_whatever_the_words_what_is_sent_keeps_metas_limits(
    words: str, choices: list[tuple[str, str]], place: bool
) -> None:
    offered = tuple(Choice(f"c{n}", title, text) for n, (title, text) in enumerate(choices))
    message = replace(PLAIN, short=words * 4, choices=offered, asks_place=place)
    assert StandInWhatsApp()._wrong(payload(Letter(AYSE, message, "k", free=True))) is None


@given(st.lists(st.text(max_size=1_500), max_size=4))
def test_whatever_fills_a_template_meta_takes_it(parameters: list[str]) -> None:
    message = replace(PLAIN, template=TemplateCall("kapandi", Language.TR, tuple(parameters)))
    assert StandInWhatsApp()._wrong(payload(Letter(AYSE, message, "k"))) is None


@pytest.mark.parametrize("to", ["ayse@example.com", "", "+90 532", "tr.12", "TR.", "123456789012345678"])
def test_an_address_that_is_none_is_said_so(to: str) -> None:
    with pytest.raises(PermanentError, match="bad_address") as refused:
        payload(Letter(to, PLAIN, "k", free=True))
    assert refused.value.elsewhere


# --- the window ---


async def test_outside_the_window_nothing_goes_without_a_template(
    meta: StandInWhatsApp, sender: WhatsAppSender
) -> None:
    with pytest.raises(PermanentError, match="window_closed") as refused:
        await sender.send(Letter(AYSE, PLAIN, "k"))
    assert refused.value.elsewhere
    assert meta.asked == []


async def test_a_window_that_meta_says_is_closed_makes_it_a_template(
    meta: StandInWhatsApp, sender: WhatsAppSender
) -> None:
    meta.open_to = set()
    await sender.send(Letter(AYSE, TEMPLATE, "k", free=True))
    assert [body["type"] for body in meta.asked] == ["text", "template"]
    assert len(meta.by_key("k")) == 1
    with pytest.raises(PermanentError, match="whatsapp_131047"):
        await sender.send(Letter(AYSE, PLAIN, "k2", free=True))


# --- what comes back ---


@pytest.mark.parametrize(
    ("fault", "kind", "elsewhere", "alert"),
    [
        (131026, PermanentError, True, False),
        (131049, PermanentError, True, False),
        (130472, PermanentError, True, False),
        (131021, PermanentError, False, False),
        (132001, PermanentError, True, True),
        (132015, PermanentError, True, True),
        (999999, PermanentError, True, False),
        (130429, TemporaryError, False, False),
        (131016, TemporaryError, False, False),
        (190, TemporaryError, False, True),
        (131031, TemporaryError, False, True),
        (131042, TemporaryError, False, True),
    ],
)
async def test_metas_code_decides(
    meta: StandInWhatsApp,
    sender: WhatsAppSender,
    fault: int,
    kind: type[PermanentError | TemporaryError],
    elsewhere: bool,
    alert: bool,
) -> None:
    meta.faults.then(fault)
    with pytest.raises(kind, match=f"^whatsapp_{fault}$") as error:
        await sender.send(Letter(AYSE, PLAIN, "k", free=True))
    assert error.value.alert is alert
    assert getattr(error.value, "elsewhere", False) is elsewhere
    assert meta.taken == []


async def test_too_many_to_one_person_says_nothing_of_meta(meta: StandInWhatsApp, sender: WhatsAppSender) -> None:
    meta.faults.then(131056)
    with pytest.raises(TemporaryError) as error:
        await sender.send(Letter(AYSE, PLAIN, "k", free=True))
    assert error.value.alone
    assert error.value.after == timedelta(minutes=1)


async def test_a_template_that_meta_does_not_know_is_for_a_person(
    meta: StandInWhatsApp, sender: WhatsAppSender
) -> None:
    meta.templates = {"talep_alindi": 1}
    with pytest.raises(PermanentError, match="132001") as error:
        await sender.send(Letter(AYSE, TEMPLATE, "k"))
    assert error.value.alert


def test_every_code_of_the_domain_has_a_ruling() -> None:
    named = {131047, 131026, 131049, 130472, 132000, 132001, 132015, 130429, 131056, 190, 131031, 131042}
    assert named <= set(RULINGS)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.BROKEN])
async def test_nobody_knows_what_became_of_it(meta: StandInWhatsApp, sender: WhatsAppSender, fault: Fault) -> None:
    meta.faults.then(fault)
    with pytest.raises(TimeoutError):
        await sender.send(Letter(AYSE, PLAIN, "k", free=True))


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with new_client() as client:
        sender = WhatsAppSender(WhatsAppSettings("http://127.0.0.1:9/v25.0", "1", TOKEN), client)
        with pytest.raises(TemporaryError, match="unreachable"):
            await sender.send(Letter(AYSE, PLAIN, "k", free=True))


async def test_an_answer_that_takes_too_long_is_unknown(
    meta: StandInWhatsApp, sender: WhatsAppSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notify.channels.http.LIMIT_SECONDS", 0.05)
    meta.faults.then(Fault.LATE)
    with pytest.raises(TimeoutError):
        await sender.send(Letter(AYSE, PLAIN, "k", free=True))
    assert len(meta.by_key("k")) == 1
