"""
The mail as HTML: everything that the plain form says, nothing from outside, nothing that runs.
"""

import re
from dataclasses import replace
from html.parser import HTMLParser
from string import Template

import pytest

from services.common.contracts.vocabulary import Language, NotifyVia, Status
from services.notify.layout import RULE, Sheet, load_layout, step_of
from services.notify.samples import HOUSE, REQUEST, USUAL, samples
from services.notify.templates import TEMPLATES, load_templates
from services.notify.transitions import Facts

TEXTS = load_templates()
LAYOUT = load_layout(TEMPLATES)
SAMPLES = samples(USUAL, NotifyVia.EMAIL)
HOSTILE = '</p><script>alert(1)</script><img src="https://evil.example/x.png" onerror=x> & "quoted" \'too\''


class Seen(HTMLParser):
    """
    What a mail program would show and open.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.outside: list[str] = []
        self.words: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href":
                self.addresses.append(value or "")
            if name in ("src", "background", "srcset") or name.startswith("on") or "url(" in (value or ""):
                self.outside.append(f"{tag} {name}")
        if tag in ("style", "title"):
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "title"):
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_html_says_what_the_plain_form_says(name: str, language: Language) -> None:
    message = TEXTS.render(HOUSE, REQUEST, SAMPLES[name], language)
    seen = " ".join(Seen(message.html).words)
    for line in message.text.split("\n-- \n")[0].splitlines():
        if line == RULE:
            continue
        parts = line.split(": ", 1) if ": " in line else [line]  # a label and its value may stand in two cells
        assert all(" ".join(part.split()).removesuffix(":") in seen for part in parts), line


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_loaded_or_run_and_links_lead_to_us_alone(name: str) -> None:
    seen = Seen(TEXTS.render(HOUSE, REQUEST, SAMPLES[name], Language.TR).html)
    assert seen.outside == []
    assert {"script", "link", "img", "iframe", "form", "object"}.isdisjoint(seen.tags)
    assert all(address.startswith("https://talep.ilkadim.example/") for address in seen.addresses)


def test_what_a_department_wrote_is_words_and_nothing_else() -> None:
    facts = replace(USUAL, answer=HOSTILE, question=HOSTILE, body=HOSTILE, neighbourhood=HOSTILE)
    plain = Seen(TEXTS.render(HOUSE, REQUEST, SAMPLES["asked"], Language.TR).html)
    for name in ("asked", "closed_referred", "escalated_legal"):
        html = TEXTS.render(HOUSE, REQUEST, samples(facts, NotifyVia.EMAIL)[name], Language.TR).html
        seen = Seen(html)
        assert seen.outside == []
        assert {"script", "img"}.isdisjoint(seen.tags)
        assert "&lt;script&gt;" in html
    assert "script" not in plain.tags


def test_what_somebody_else_wrote_stands_as_a_quote() -> None:
    html = TEXTS.render(HOUSE, REQUEST, SAMPLES["asked"], Language.TR).html
    quotes = re.findall(r'<div class="quote[^>]*>(.*?)</div>', html, re.DOTALL)
    assert quotes == [USUAL.question, USUAL.answer]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sentence_does_not_vanish_with_what_is_not_known(name: str, language: Language) -> None:
    bare = Facts(Status.ASSIGNED, "zabita", "hatali-park", question="Nerede?", day=USUAL.day, body="SASKİ")
    text = TEXTS.render(HOUSE, REQUEST, samples(bare, NotifyVia.EMAIL)[name], language).text
    for line in TEXTS.texts[language, name].mail.splitlines():
        own = [word for word in Template(line).safe_substitute({}).split() if "$" not in word]
        if len(own) > 5:
            assert own[0] in text, line
            assert own[-1] in text, line


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("received", 1),
        ("received_triage", 1),
        ("assigned_triage", 1),
        ("received_assigned", 2),
        ("accepted", 2),
        ("reopened", 2),
        ("scheduled", 3),
        ("asked", 3),
        ("closed_duplicate", 4),
        ("closed_resolved", 4),
        ("followed_resolved", None),
        ("escalated_plan", None),
        ("say_added", None),
    ],
)
def test_how_far_the_request_is_stands_on_top(name: str, step: int | None) -> None:
    assert step_of(SAMPLES[name]) == step
    html = TEXTS.render(HOUSE, REQUEST, SAMPLES[name], Language.TR).html
    assert html.count('<div class="done"') == (step or 0)
    assert html.count('<div class="ahead"') == (4 - step if step else 0)


def test_a_paragraph_of_labels_is_a_table_and_a_single_line_or_a_sentence_is_not() -> None:
    sheet = Sheet(Language.TR, "-", "Birim: Zabıta\nNo: 7\n\nSon gün: yarın\n", "-", "-")
    rows = Seen(LAYOUT.page(sheet)).tags.count("tr")
    for text in ("Son gün: yarın", "Bu iletiyi yanıtlayarak bize yazabilirsiniz: 7\nNo: 7"):
        assert Seen(LAYOUT.page(replace(sheet, text=text))).tags.count("tr") == rows - 2


def test_both_languages_stand_below_a_citizens_mail_and_how_to_stop_it() -> None:
    for language, order in ((Language.TR, ("DUR", "STOP")), (Language.EN, ("STOP", "DUR"))):
        html = TEXTS.render(HOUSE, REQUEST, SAMPLES["received"], language).html
        first, second = order
        assert html.index(first) < html.index(second)
    staff = TEXTS.render(HOUSE, REQUEST, SAMPLES["escalated_legal"], Language.TR).html
    assert "STOP" not in staff


def test_only_a_mail_is_set_as_html() -> None:
    for channel, set_ in ((NotifyVia.EMAIL, True), (None, True), (NotifyVia.SMS, False), (NotifyVia.WHATSAPP, False)):
        assert bool(TEXTS.render(HOUSE, REQUEST, samples(USUAL, channel)["received"], Language.TR).html) is set_


def test_the_same_message_is_the_same_bytes() -> None:
    first, second = (TEXTS.render(HOUSE, REQUEST, SAMPLES["closed_resolved"], Language.TR) for _ in range(2))
    assert first == second
