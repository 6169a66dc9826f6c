"""
What routing makes of a citizen's opinion: nothing of stars, an open request of one that has not ended for its citizen.
"""

from datetime import timedelta

from services.common.contracts.events import FeedbackSubmitted, UpdateRefused
from services.common.contracts.vocabulary import RefusalReason, Status
from services.routing.case import Case
from services.routing.domain import decide
from tests.builders import NOON, received, request, update
from tests.unit.routing.test_domain import RULES, R, lifecycle, live, on


def opinion(**fields: object) -> FeedbackSubmitted:
    given = {"rating": 2, "channel": "web", "submitted_at": NOON, "adapter": "ilkim:web"} | fields
    return FeedbackSubmitted.model_validate({"request_id": R, "feedback_id": "f-1", "closing_seq": 3} | given)


def closed() -> Case:
    return live(request(R), update(R, "resolve"))


def test_stars_change_nothing() -> None:
    before = closed()
    assert live(opinion(), case=before) == before


def test_who_says_it_has_not_ended_opens_it_again_where_it_was_closed_and_is_read_there() -> None:
    case = live(opinion(reopen=True, comment="Çukur yine açıldı"), case=closed())
    last = lifecycle(case)[-1]
    assert (type(last).__name__, last.status, last.department) == ("RequestReopened", Status.REOPENED, "fen-isleri")
    assert last.update_id == "f-1"
    assert last.reply is None
    assert on(case, "fen-isleri")[-1].reply == "Çukur yine açıldı"


def test_the_same_opinion_again_has_no_second_effect() -> None:
    asked = opinion(reopen=True, comment="Çukur yine açıldı")
    once = live(asked, case=closed())
    assert live(asked, case=once) == once


def test_an_open_request_is_not_reopened() -> None:
    refused = lifecycle(live(request(R), opinion(reopen=True, comment="Bitmedi")))[-1]
    assert isinstance(refused, UpdateRefused)
    assert (refused.reason, refused.update_id) == (RefusalReason.FORBIDDEN_MOVE, "f-1")


def test_after_three_reopenings_it_is_to_be_registered_anew() -> None:
    case = closed()
    for turn in range(3):
        case = live(opinion(feedback_id=f"f-{turn}", reopen=True, comment=f"Bitmedi {turn}"), case=case)
        case = live(update(R, "resolve", update_id=f"u-{turn}"), case=case)
    refused = lifecycle(live(opinion(feedback_id="f-9", reopen=True, comment="Bitmedi"), case=case))[-1]
    assert isinstance(refused, UpdateRefused)
    assert refused.reason == RefusalReason.TOO_MANY


def test_of_an_unknown_request_it_is_refused() -> None:
    asked = received(opinion(reopen=True, comment="Bitmedi"))
    refused = lifecycle(decide(Case(R), asked, at=NOON + timedelta(hours=1), rules=RULES))[-1]
    assert isinstance(refused, UpdateRefused)
    assert (refused.seq, refused.reason) == (0, RefusalReason.UNKNOWN_REQUEST)
