"""
The guide says what the code does: it is current, its picture is the table of moves, and no kind of thing is left out.
"""

from itertools import product

from deploy.lifecycle import words
from deploy.lifecycle.diagram import arrows, mermaid, states_of, svg
from deploy.lifecycle.document import DOCUMENT, PICTURE, document
from deploy.lifecycle.stories import load_stories, shipped_rules
from services.common.contracts.vocabulary import Action, Clock, Level, Outcome, Priority, RefusalReason, Status
from services.routing.moves import MOVES

STEPS = [step for chapter in load_stories() for story in chapter.stories for step in story.steps]
EXPECTED = [expected for step in STEPS for expected in step.then.values()]


def test_the_committed_guide_and_its_picture_are_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it anew: python -m deploy.lifecycle"
    assert PICTURE.read_text(encoding="utf-8") == svg(), "write it anew: python -m deploy.lifecycle"


def test_the_arrows_of_the_picture_are_the_table_of_moves_each_move_once() -> None:
    single = [pair for arrow in arrows() for pair in product(states_of(arrow.source), states_of(arrow.target))]
    assert len(single) == len(set(single))
    assert set(single) == {(source, target) for source, targets in MOVES.items() for target in targets}


def test_both_forms_of_the_picture_have_every_arrow() -> None:
    inside = [arrow for arrow in arrows() if arrow.source == arrow.target and len(states_of(arrow.source)) > 1]
    between = [arrow for arrow in arrows() if arrow not in inside]
    assert [line.split(" --> ") for line in mermaid().split("\n") if " --> " in line][1:] == [
        [f"    {arrow.source}", arrow.target] for arrow in between
    ]
    assert all(f"note right of {arrow.source}:" in mermaid() for arrow in inside)
    assert all(f"<title>{arrow.source} → {arrow.target}</title>" in svg() for arrow in arrows())


def test_every_word_that_an_event_can_have_is_told_in_both_languages() -> None:
    for closed_set, named in (
        (Action, words.ACTIONS), (Outcome, words.OUTCOMES), (Clock, words.CLOCKS), (Level, words.LEVELS),
        (Priority, words.PRIORITIES), (RefusalReason, words.REFUSALS),
    ):  # fmt: skip
        assert set(named) == set(closed_set)  # type: ignore[arg-type]


def test_every_action_state_outcome_and_refusal_happens_in_some_story() -> None:
    assert {step.update["action"] for step in STEPS if step.update} == set(Action)
    assert {expected.status for expected in EXPECTED} - {None} == set(Status) - {Status.RECEIVED}
    assert {expected.outcome for expected in EXPECTED} - {None} == set(Outcome)
    assert {expected.refused for expected in EXPECTED} - {None} == set(RefusalReason)


def test_every_step_of_the_policy_and_every_message_to_a_citizen_happens_in_some_story() -> None:
    policy = shipped_rules().policy
    told = {(Clock.PLAN, Level.DEPARTMENT)} | {(Clock.LEGAL, step.tell) for step in policy.legal}
    told |= {(Clock.ACCEPTANCE, step.tell) for step in policy.acceptance if step.tell}
    told |= {(Clock.RESOLUTION, step.tell) for step in policy.resolution if step.tell}
    assert {(one.clock, one.level) for expected in EXPECTED for one in expected.staff} == told
    assert {kind for expected in EXPECTED for kind in expected.told} == set(words.TOLD)
