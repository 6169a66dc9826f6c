"""
A sweep over all templates, scripts and style sheets of all services.
"""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from deploy.stack.config import ROOT
from services.common.ui.security import POLICY, policy

MAILS = ROOT / "services/notify/templates"
TEMPLATES = sorted(path for path in (ROOT / "services").rglob("*.html") if MAILS not in path.parents)
SCRIPTS = sorted(path for path in (ROOT / "services").rglob("*.js") if path.parent.name != "vendor")
SHEETS = sorted(path for path in (ROOT / "services").rglob("*.css") if path.parent.name != "vendor")
NAMES = re.compile(r"\b(İLKİM|SMS|WhatsApp|CİMER|İlkadım Belediyesi|Türkçe|English)\b")
UI = ROOT / "services/common/ui"


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_sweep_finds_something() -> None:
    assert UI / "templates/base.html" in TEMPLATES
    assert UI / "static/app.js" in SCRIPTS
    assert UI / "static/app.css" in SHEETS


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    assert "unsafe" not in policy(("https://a.example",))
    assert policy(()) == POLICY
    directives = {row.split()[0]: row.split()[1:] for row in policy(("https://a.example",)).split("; ")}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == ["'self'"]
    assert directives["form-action"] == ["'self'", "https://a.example"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]


@pytest.mark.parametrize("path", TEMPLATES, ids=place)
def test_no_template_has_an_inline_script_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"<style\b", text)
    assert not re.findall(r"<script\b(?![^>]*\bsrc=)[^>]*>", text)
    assert not re.findall(r"['\"](?:on[a-z]+|style)['\"]\s*:|javascript:", text)
    tags = re.findall(r"<[a-z][^>]*>", re.sub(r"\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.DOTALL))
    assert not [tag for tag in tags if re.search(r"\s(?:style|on[a-z]+)\s*=", tag)]


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS, *SHEETS], ids=place)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//""", text)
    assert path.suffix == ".html" or not re.search(r"https?://", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=place)
def test_no_script_makes_markup_of_texts(path: Path) -> None:
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", path.read_text()
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=place)
def test_nothing_is_marked_safe_by_hand(path: Path) -> None:
    assert not re.findall(r"\|\s*safe\b|autoescape", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=place)
def test_every_text_has_both_languages(path: Path) -> None:
    tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
    for call in tree.find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name == "t"):
            continue
        if len(call.args) == 1:
            assert not isinstance(call.args[0], nodes.Const), f"line {call.lineno}: a text without its English"
        else:
            assert len(call.args) == 2, f"line {call.lineno}"
            assert all(arg.value for arg in call.args if isinstance(arg, nodes.Const)), f"line {call.lineno}: empty"


@pytest.mark.parametrize("path", TEMPLATES, ids=place)
def test_no_text_stands_outside_of_t(path: Path) -> None:
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    texts = [text.strip() for text in re.sub(r"<[^>]*>", "\n", bare).splitlines()]
    words = [text for text in texts if re.search(r"[^\W\d_]{3}", NAMES.sub("", text)) and '="' not in text]
    assert [text for text in words if " / " not in text] == []  # paper has "Tarih / Date"


# Citizens do not sign in: their cookie is SameSite, and where each of their forms comes from is checked.
SIGNED_IN = [path for path in TEMPLATES if "citizen" not in path.parts]


@pytest.mark.parametrize("path", SIGNED_IN, ids=place)
def test_every_post_form_carries_the_token(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL | re.IGNORECASE):
        assert "csrf" in form or 'name="_form"' in form, form[:100]  # who signs in has no session yet: a mark instead


def test_dark_colours_are_the_same_by_wish_and_by_system() -> None:
    text = (UI / "static/app.css").read_text(encoding="utf-8")
    by_system = re.search(r":root:not\(\[data-theme=\"light\"\]\) \{(.*?)\}", text, re.DOTALL)
    by_wish = re.search(r":root\[data-theme=\"dark\"\] \{(.*?)\}", text, re.DOTALL)
    assert by_system
    assert by_wish
    assert by_system[1].split() == by_wish[1].split()


def test_every_custom_property_that_is_used_is_defined() -> None:
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", (UI / "static/app.css").read_text(encoding="utf-8")))
    for path in [*SHEETS, *TEMPLATES]:
        used = set(re.findall(r"var\((--[a-z0-9-]+)", path.read_text(encoding="utf-8")))
        own = set(re.findall(r"(--[a-z0-9-]+)\s*:", path.read_text(encoding="utf-8")))
        assert used <= defined | own, place(path)


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([a-z-]+)"', (UI / "templates/icons.svg").read_text(encoding="utf-8")))
    for path in [*TEMPLATES, *SCRIPTS]:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"\bicon\('([a-z-]+)'|icon_name='([a-z-]+)'|icon_button\('([a-z-]+)'", text))
        assert {name for names in named for name in names if name} <= drawn, place(path)
