"""
Ready answers: the file is sound, and each text is filled for the request it is meant for.
"""

import pytest
from pydantic import ValidationError

from services.common.contracts.vocabulary import ANSWERS, Action, Outcome
from services.reporting.inbox.answers import Answer, Title, answers, checked, filled, fitting

POTHOLE = {
    "request_id": "7XK29MQ4T3BDM",
    "service_code": "yol-cukur",
    "department": "fen-isleri",
    "neighbourhood": "Kadıköy",
}


def test_there_is_an_answer_for_every_outcome_whatever_the_department() -> None:
    found = {
        answer.outcome for answer in fitting({**POTHOLE, "service_code": "kurs-kayit", "department": "kadin-aile"})
    }

    assert found >= ANSWERS


def test_what_fits_the_service_comes_before_what_fits_everything() -> None:
    keys = [answer.key for answer in fitting(POTHOLE)]

    assert keys[0] == "cukur-onarildi"
    assert "zabita-uyarildi" not in keys
    assert keys.index("cukur-onarildi") < keys.index("cozuldu")


def test_a_department_s_own_answers_come_first() -> None:
    own = Answer(key="x", title=Title(tr="Bizim", en="Ours"), tr="a", en="a", outcome=Outcome.RESOLVED)

    assert fitting(POTHOLE, [own])[0] is own


@pytest.mark.parametrize("answer", answers(), ids=lambda answer: answer.key)
@pytest.mark.parametrize("place", ["Kadıköy", None])
def test_every_answer_is_filled_without_a_brace_left(answer: Answer, place: str | None) -> None:
    found = filled(answer, {**POTHOLE, "neighbourhood": place})

    assert not set("{}") & set(found["tr"] + found["en"])
    assert "None" not in found["tr"] + found["en"]


def test_the_number_is_grouped_and_the_service_has_its_name() -> None:
    answer = next(one for one in answers() if one.key == "cozuldu")

    assert filled(answer, POTHOLE)["tr"].startswith(
        "7XK2-9MQ4-T3BD-M numaralı başvurunuzdaki iş (Yolda çukur, bozuk asfalt)"
    )


@pytest.mark.parametrize("text", ["{ad}", "{}", "{number", "{number.x}", "{0}", "{number!z}", "{service:Q}"])
def test_a_placeholder_that_nobody_fills_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\{department\}, \{neighbourhood\}, \{number\}, \{service\}"):
        checked(text)


def test_braces_can_be_written() -> None:
    assert checked("{{x}} {number}") == "{{x}} {number}"


@pytest.mark.parametrize(
    "odd",
    [
        {"outcome": None},
        {"outcome": Outcome.CANCELLED},
        {"action": Action.ASK},
        {"services": ["uzay"]},
        {"departments": ["uzay"]},
        {"tr": "{ad}"},
    ],
)
def test_an_answer_that_fits_nothing_stops_the_start(odd: dict[str, object]) -> None:
    sound: dict[str, object] = {
        "key": "x",
        "title": {"tr": "a", "en": "b"},
        "tr": "a",
        "en": "b",
        "outcome": "resolved",
    }
    Answer.model_validate(sound)

    with pytest.raises(ValidationError):
        Answer.model_validate(sound | odd)
