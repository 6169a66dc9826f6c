"""
``rules test`` and ``rules explain``.
"""

import json
from pathlib import Path

import pytest

from services.routing.rules_cli import run

FILE = """
services:
  - {name: muzik, words: [müzik], service: komsu-sikayeti}
  - {name: ses, words: [komşunun, sesi], service: gurultu}
assignments:
  - {name: gece, service: komsu-sikayeti, time: {from: "22:00", to: "06:00"}, priority: high}
tests:
  - {text: MÜZİK, expect: {service: komsu-sikayeti}}
  - {text: sessizlik, expect: {service: gurultu}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_the_shipped_file_passes_with_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test"]) == 0
    assert capsys.readouterr().out.endswith(" cases, 0 wrong\n")


def test_a_wrong_case_is_a_row_and_exit_code_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "--file", str(file)]) == 1
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["test", "text", "field", "expected", "came"],
        ["2", "sessizlik", "service", "gurultu", "none"],
        ["2", "cases,", "1", "wrong"],
    ]


def test_a_word_in_vain_is_a_warning_and_no_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(FILE.replace("komşunun", "müzikler").replace("sessizlik", "sesi"), encoding="utf-8")
    assert run(["test", "--file", str(file)]) == 0
    assert "warning: rule ses: 'müzikler' never decides: muzik comes first\n" in capsys.readouterr().out


def test_a_broken_file_is_exit_code_2_and_says_why(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("services: [{name: a, words: [su], service: yok}]", encoding="utf-8")
    for command in (["test"], ["explain", "su"]):
        assert run([*command, "--file", str(file)]) == 2
        assert capsys.readouterr().err == "rules.yaml: rule a: unknown service 'yok'\n"


def test_explain_shows_the_decision_and_its_reasons(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "Komşunun MÜZİĞİ", "--at", "2026-05-18T23:00", "--file", str(file)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "service     komsu-sikayeti (Komşu şikâyeti)",
        "decided by  rule muzik",
        "department  zabita (Zabıta Müdürlüğü)",
        "priority    high",
        "assignment  rule gece",
        "       words: müzik <- MÜZİĞİ",
        "services: would match too, but muzik comes first",
        "    2. ses -> gurultu",
        "       time: every day 22:00-06:00 <- mon 23:00",
    ):
        assert f"{line}\n" in shown


def test_explain_shows_what_kept_a_rule_from_matching(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "müzik", "--at", "2026-05-18T09:00Z", "--file", str(file)]) == 0
    assert "       not: time: every day 22:00-06:00 <- mon 12:00\n" in capsys.readouterr().out


def test_explain_shows_a_given_service_and_triage_as_such(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "müzik", "--service", "dilenci", "--file", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "decided by  the service that was given\n" in shown
    assert "services: would match too, but the service was given\n    1. muzik -> komsu-sikayeti\n" in shown
    assert "services: decided" not in shown
    assert run(["explain", "selam", "--file", str(file)]) == 0
    assert "decided by  no rule: triage\n" in capsys.readouterr().out


def test_both_speak_json_with_turkish_letters(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "--json", "--file", str(file)]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "cases": 2,
        "wrong": [{"test": 2, "text": "sessizlik", "field": "service", "expected": "gurultu", "came": "none"}],
        "warnings": [],
    }
    assert run(["explain", "müzik", "--kind", "thanks", "--channel", "sms", "--json", "--file", str(file)]) == 0
    out = capsys.readouterr().out
    assert "müzik" in out
    why = json.loads(out)
    assert (why["service"], why["rule"], why["priority"]) == ("komsu-sikayeti", "muzik", "normal")
    assert why["services"][0] == {
        "place": 1,
        "rule": {"name": "muzik", "words": ["müzik"], "service": "komsu-sikayeti"},
        "met": [{"condition": "words", "wanted": "müzik", "said": "müzik"}],
        "unmet": [],
    }
    assert [missed["rule"]["name"] for missed in why["assignments_missed"]] == ["gece"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--service", "yok"], "no service 'yok'"),
        (["--neighbourhood", "Atlantis"], "no neighbourhood 'Atlantis'"),
        (["--at", "akşam"], "'akşam' is no time like"),
        (["--channel", "fax"], "invalid choice: 'fax' (choose from"),
    ],
)
def test_what_explain_cannot_understand_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        run(["explain", "su", *arguments])
    assert exited.value.code == 2
    assert message in capsys.readouterr().err
