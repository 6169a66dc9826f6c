"""
The rules file: what is shipped, and how a broken one is refused.
"""

from pathlib import Path

import pytest

from services.common.contracts.catalogue import catalogue
from services.routing.rules_file import load_rules, read_rules
from services.routing.rules_form import BrokenRules
from services.routing.settings import RoutingSettings

RULE = "{name: a, words: [su], service: gurultu}"


@pytest.fixture(scope="module")
def shipped() -> Path:
    return RoutingSettings().rules_file


def test_the_shipped_rules_load_with_their_tests(shipped: Path) -> None:
    book = load_rules(shipped, catalogue())
    assert len(book.services) >= 40
    assert len(book.assignments) >= 3
    assert len(book.tests) >= 40


def test_the_shipped_rules_ask_for_every_emergency_before_anything_else(shipped: Path) -> None:
    known = catalogue().services
    emergencies = [known[rule.service].emergency for rule in read_rules(shipped, catalogue()).services]
    assert emergencies == sorted(emergencies, reverse=True)
    assert True in emergencies


def test_no_shipped_rule_or_word_is_in_vain(shipped: Path) -> None:
    assert read_rules(shipped, catalogue()).warnings() == []


def test_every_shipped_assignment_and_its_absence_are_tried(shipped: Path) -> None:
    book = read_rules(shipped, catalogue())
    tried = {case.expect.assignment for case in book.tests if "assignment" in case.expect.model_fields_set}
    assert tried == {None, *(rule.name for rule in book.assignments)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("services: [", "rules.yaml cannot be read"),
        ("", "rules.yaml: the file: "),
        ("rules: []", "rules.yaml: services: Field required"),
        ("services: []\nelse: []", "rules.yaml: else: Extra inputs"),
        ("services: [7]", "rules.yaml: services, entry 1: "),
        ("services: [{words: [su], service: gurultu}]", "services, entry 1, name: Field required"),
        ("services: [{name: a, service: gurultu}]", "services, rule a, words: Field required"),
        ("services: [{name: a, word: [x], service: gurultu}]", "services, rule a, words: Field required"),
        ("services: [{name: a, words: [], service: gurultu}]", "services, rule a, words: "),
        ("services: [{name: a, words: ['!!'], service: gurultu}]", "services, rule a, words.0: .*'!!' has no letters"),
        ("services: [{name: a, words: [no], service: gurultu}]", "services, rule a, words.0: .*valid string"),
        ("services: [{name: a, words: [su], service: yok}]", "rules.yaml: rule a: unknown service 'yok'"),
        ("services: [{name: a, words: [su], words: [gaz], service: gurultu}]", "'words' stands twice"),
        ("services: []\nservices: []", "'services' stands twice"),
        (
            "services: [{name: a, words: [su], service: gurultu, neighbourhood: [Kale, Atlantis]}]",
            "services, rule a, neighbourhood.1: .*unknown neighbourhood 'Atlantis'",
        ),
        ("services: [{name: a, words: [su], service: gurultu, channel: fax}]", "rule a, channel.0: .*'phone'"),
        ("services: [{name: a, words: [su], service: gurultu, kind: x}]", "rule a, kind.0: .*'complaint'"),
        (
            "services: [{name: a, words: [su], service: gurultu, time: {from: 22:00, to: 06:00}}]",
            'rule a, time.from: .*in quotes, like "22:00"',
        ),
        (
            'services: [{name: a, words: [su], service: gurultu, time: {from: "22:00"}}]',
            "rule a, time: .*belong together",
        ),
        (
            'services: [{name: a, words: [su], service: gurultu, time: {from: "22:00", to: "22:00"}}]',
            "rule a, time: .*are the same",
        ),
        (
            "services: [{name: a, words: [su], service: gurultu, time: {days: [monday]}}]",
            "rule a, time.days.0: .*'mon'",
        ),
        ("services: []\nassignments: [{name: a, priority: high}]", "assignments, rule a: .*no condition"),
        (
            "services: []\nassignments: [{name: a, words: [su]}]",
            "assignments, rule a: .*needs a department, a priority",
        ),
        ("services: []\nassignments: [{name: a, words: [su], priority: top}]", "rule a, priority: .*'urgent'"),
        (f"services: [{RULE}]\nassignments: [{{name: a, words: [su], priority: high}}]", "a: the name stands twice"),
        (f"services: [{RULE}]\ntests: [{{text: su, expect: {{}}}}]", "tests, entry 1, expect: .*expects nothing"),
        (
            f"services: [{RULE}]\ntests: [{{text: su, expect: {{rule: a}}}}, {{text: gaz, expect: {{rule: a}}}}]",
            r"test 2 \('gaz'\): rule: expected a, came none$",
        ),
        (
            f"services: [{RULE}]\ntests: [{{text: ŞU, expect: {{rule: null}}}}, {{text: su, expect: {{rule: null}}}}]",
            r"test 1 \('ŞU'\): rule: expected none, came a \(and 1 more\)$",
        ),
    ],
)
def test_a_broken_file_is_refused_naming_the_rule_or_the_case(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BrokenRules, match=message):
        load_rules(file, catalogue())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenRules, match="cannot be read"):
        load_rules(tmp_path / "none.yaml", catalogue())


def test_a_file_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes("services: [] # çöp".encode("iso-8859-9"))
    with pytest.raises(BrokenRules, match="cannot be read"):
        load_rules(file, catalogue())
