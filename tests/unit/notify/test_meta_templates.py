"""
Meta's templates: complete, within Meta's rules, and called with what they were approved for.
"""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pywa.types.templates import BodyText, Buttons, QuickReplyButton, Template, URLButton

from services.common.contracts.vocabulary import Language, NotifyVia
from services.notify.expected import EXPECTED, BrokenTemplates
from services.notify.meta_templates import BODY_LIMIT, load_meta
from services.notify.samples import HOUSE, LONGEST, REQUEST, USUAL, samples
from services.notify.templates import TEMPLATES, load_templates

META = load_meta(TEMPLATES)
TEXTS = load_templates()
BODIES = META.bodies(HOUSE)
OUTSIDE = [name for name in samples(USUAL) if not name.startswith(("say_", "escalated_"))]
NAMED_BY_THE_DOMAIN = {
    "talep_alindi", "birime_iletildi", "bilgi_gerekli", "planlandi", "kapandi", "havale_edildi", "gecikme_bilgi",
    "anket",
}  # fmt: skip


def of(body: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (part for part in body["components"] if part["type"] == kind)
    return found


def test_every_template_the_domain_asks_for_is_there_in_both_languages() -> None:
    assert {(name, language) for name in NAMED_BY_THE_DOMAIN for language in ("tr", "en")} <= {
        (body["name"], body["language"]) for body in BODIES
    }


@pytest.mark.parametrize("body", BODIES, ids=lambda body: f"{body['name']}-{body['language']}")
def test_a_definition_is_as_metas_own_rules_and_a_kept_library_have_it(body: dict[str, Any]) -> None:
    assert body["category"] == "UTILITY"
    text = of(body, "BODY")["text"]
    numbers = [int(number) for number in re.findall(r"\{\{(\d+)}}", text)]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(set(numbers)) + 1))
    assert not re.match(r"\{\{", text)
    assert not re.search(r"}}\s*\Z", text)
    assert not re.search(r"}}\W*\{\{", text)
    assert len(text) <= BODY_LIMIT
    assert "$" not in text
    assert len(of(body, "FOOTER")["text"]) <= 60
    kinds = [button["type"] for button in of(body, "BUTTONS")["buttons"]]
    assert kinds.count("QUICK_REPLY") <= 3
    assert kinds.count("URL") <= 1
    assert kinds == sorted(kinds)  # quick replies stand together, before the link: as they are counted when sent
    assert all(len(button["text"]) <= 25 for button in of(body, "BUTTONS")["buttons"])
    read = Template.from_dict(body)
    assert json.loads(read.to_json()) == json.loads(json.dumps(body))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", OUTSIDE)
def test_every_message_to_a_citizen_has_a_template_that_takes_exactly_what_it_is_called_with(
    name: str, language: Language
) -> None:
    row = samples(USUAL, NotifyVia.WHATSAPP)[name]
    call = TEXTS.render(HOUSE, REQUEST, row, language).template
    assert call is not None
    (body,) = (body for body in BODIES if (body["name"], body["language"]) == (call.name, call.language))
    read = Template.from_dict(body)
    (text,) = (part for part in read.components if isinstance(part, BodyText))
    text.validate(*call.parameters)
    assert text.preview(*call.parameters) == META.text(call)
    (buttons,) = (part for part in read.components if isinstance(part, Buttons))
    assert sum(isinstance(button, QuickReplyButton) for button in buttons.buttons) == len(call.payloads)
    assert any(isinstance(button, URLButton) for button in buttons.buttons) is (call.link is not None)
    assert META.buttons(call) == tuple(getattr(button, "text", None) for button in buttons.buttons)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("facts", [LONGEST, replace(USUAL, answer=None, question=None, body=None, day=None)])
def test_what_fills_a_template_is_one_line_never_empty_and_not_too_long(
    facts: Any, name: str, language: Language
) -> None:
    call = TEXTS.render(HOUSE, REQUEST, samples(facts, NotifyVia.WHATSAPP)[name], language).template
    assert call is not None
    assert all(parameter.strip() and not re.search(r"[\n\t]| {4}", parameter) for parameter in call.parameters)
    assert len(META.text(call)) <= BODY_LIMIT


def test_a_closing_that_asks_for_a_rating_can_be_answered_with_one_tap() -> None:
    call = TEXTS.render(HOUSE, REQUEST, samples(USUAL)["closed_resolved"], Language.TR).template
    assert call is not None
    assert call.name == "anket"
    assert call.payloads == (f"fb:{REQUEST}:6:5", f"fb:{REQUEST}:6:3", f"reopen:{REQUEST}:6")
    assert call.link is not None
    assert re.fullmatch(rf"{REQUEST}\?k=[0-9a-f-]+#puan", call.link)
    quiet = TEXTS.render(HOUSE, REQUEST, samples(USUAL, survey=False)["closed_resolved"], Language.TR).template
    assert quiet is not None
    assert (quiet.name, quiet.payloads) == ("kapandi", ())


def test_an_emergency_is_told_with_112_first() -> None:
    call = TEXTS.render(HOUSE, REQUEST, samples(LONGEST)["received"], Language.TR).template
    assert call is not None
    assert call.name == "acil_bildirim"
    assert "112" in META.text(call)[:60]


@pytest.mark.parametrize("name", ["followed_cancelled", "followed_duplicate", "closed_duplicate", "closed_no_reply"])
def test_what_is_not_for_this_reader_does_not_stand_in_metas_template_either(name: str) -> None:
    assert "answer" not in EXPECTED[name]
    call = TEXTS.render(HOUSE, REQUEST, samples(LONGEST)[name], Language.TR).template
    assert call is not None
    assert "Ekibimiz" not in META.text(call)


def test_only_what_answers_a_message_has_no_template() -> None:
    calls = {name: TEXTS.render(HOUSE, REQUEST, row, Language.TR).template for name, row in samples(USUAL).items()}
    without = {name for name, call in calls.items() if call is None}
    assert without == {name for name in calls if name.startswith(("say_", "escalated_"))} - {"say_number"}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("tells: [received]", "tells: [recieved]", "talep_alindi: tells: there is no template recieved"),
        ("tells: [received]", "tells: [received, assigned]", "tells: assigned is told by talep_alindi already"),
        ("tells: [reopened]", "tells: [accepted]", "birim_yazdi already"),
        ("Başvuru numaranız: $number", "Başvuru numaranız: $numara", r"talep_alindi: tr: unknown \$numara"),
        ("Başvuru numaranız: $number", "Başvuru numaranız: $number $number", "two placeholders beside each other"),
        ("Merhaba, $number numaralı başvurunuz için gün", "$number için gün", "at the beginning or the end"),
        ("Merhaba, başvurunuzu aldık, teşekkür ederiz.", "$ aldık", "a lone"),
        ("Kısmen memnunum", "Kısmen memnun kaldım diyebilirim", "32 of 25 characters"),
        ("Merhaba, başvurunuzu aldık, teşekkür ederiz.", "Merhaba, " * 130, "of 1024 characters"),
        ('means: "fb:3"', 'means: "fb:6"', "replies.1.means"),
        ("  closed_invalid: {tr", "  closed_invald: {tr", "results: closed_invalid is missing"),
        ("  day: {tr", "  dya: {tr", "empty: day is missing"),
        ("  talep_alindi:", "  Talep Alındı:", "small letters"),
        ("empty:", "empty: {", "YAMLError|Error"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    file = folder / "whatsapp.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(BrokenTemplates, match=complaint):
        load_meta(folder)


def test_a_transition_that_no_template_tells_is_named(tmp_path: Path) -> None:
    folder = shutil.copytree(TEMPLATES, tmp_path / "templates")
    file = folder / "whatsapp.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("      - followed_reopened\n", ""), encoding="utf-8")
    with pytest.raises(BrokenTemplates, match="no template tells followed_reopened"):
        load_meta(folder)
