"""
The fault suite's checker finds what is wrong: a check that cannot fail would prove nothing.
"""

from collections.abc import Callable

import pytest

from deploy.observe import Facts
from tests.faults.check import Told, check

R = "0000000000000"


def world() -> tuple[Told, Facts, set[str], int]:
    facts = Facts()
    facts.registered[R] = {"a"}
    facts.assigned[R] = {"b"}
    facts.holder[R] = "zabita"
    facts.stands_on[R] = {"zabita"}
    facts.seqs[R] = {1, 2, 3}
    facts.closed = {R}
    for transition in ("received", "assigned", "closed"):
        facts.outcomes[R, transition, "contact:none", 1] = {transition: "Suppressed"}
        facts.reasons[R, transition, "contact:none", 1] = "no_contact"
    return Told(accepted={R: "none"}, resolved={R}), facts, {R}, 1


def test_a_sound_world_has_no_finding() -> None:
    assert all(finding.ok for finding in check(*world()))


Break = Callable[[Facts, set[str]], object]
BREAKS: dict[str, Break] = {
    "registered once": lambda f, _: f.registered[R].add("again"),
    "assigned once": lambda f, _: f.assigned.pop(R),
    "stands on its holder's topic alone": lambda f, _: f.stands_on[R].add("fen-isleri"),
    "seq without a gap": lambda f, _: f.seqs[R].remove(2),
    "`received` has an outcome": lambda f, _: f.outcomes.pop((R, "received", "contact:none", 1)),
    "`assigned` has an outcome": lambda f, _: f.outcomes.pop((R, "assigned", "contact:none", 1)),
    "resolve applied": lambda f, _: f.closed.clear(),
    "`closed` has an outcome": lambda f, _: f.outcomes.pop((R, "closed", "contact:none", 1)),
    "one outcome per (transition, recipient, attempt)": lambda f, _: f.outcomes[R, "closed", "contact:none", 1].update(
        again="Sent"
    ),
    "told or not told for the right reason": lambda f, _: f.reasons.update(
        {(R, "received", "contact:none", 1): "erased"}
    ),
    "shown by reporting": lambda _, reported: reported.clear(),
    "no event in two versions": lambda f, _: setattr(f, "in_two_versions", 1),
    "nothing unreadable on our topics": lambda f, _: setattr(f, "unreadable", 1),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_kind_of_damage_is_found_by_its_name(name: str) -> None:
    told, facts, reported, total = world()
    BREAKS[name](facts, reported)
    assert name in [finding.name for finding in check(told, facts, reported, total) if not finding.ok]


def test_a_wrong_total_is_found() -> None:
    told, facts, reported, _ = world()
    assert [f.name for f in check(told, facts, reported, 2) if not f.ok] == ["summary.received (2) = registered (1)"]


def test_a_part_is_not_counted_as_a_request() -> None:
    told, facts, reported, total = world()
    facts.registered[f"{R}.1"] = {"c"}
    assert all(finding.ok for finding in check(told, facts, reported, total))


def test_a_citizen_with_a_contact_who_was_not_told_is_found() -> None:
    told, facts, reported, total = world()
    told.accepted[R] = "contact"
    names = [finding.name for finding in check(told, facts, reported, total) if not finding.ok]
    assert names == ["told or not told for the right reason"]
