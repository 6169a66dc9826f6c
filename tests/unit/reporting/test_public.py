"""
What everybody may see of a request, and what never.
"""

from datetime import timedelta
from typing import Any

import pytest

from services.common.contracts import events
from services.common.contracts.public import PublicRequest
from services.common.contracts.vocabulary import Channel, Status
from services.reporting.public.api import PublicParameters
from services.reporting.public.shown import is_public, public_match, public_services, shown
from tests.unit.reporting.lives import START, Life, documents_of

SECRET = "Ben Ali, 0532 111 22 33, 10000000146, ad@example.com, TR330006100519786457841326: çukur & <b>"


def document(life: Life) -> dict[str, Any]:
    return documents_of(life.events)[life.request_id]


def view(life: Life) -> PublicRequest:
    found = document(life)
    assert is_public(found)
    return shown(found)


def told(channel: Channel, notice: str | None) -> Life:
    life = Life().receive(
        SECRET,
        channel,
        address="Gazi Cad. 5, tel 0532 111 22 33",
        point=(41.286712, 36.330012),
        attributes={"NOT": "0532 111 22 33", "DERIN": "5", "COK": ["a", "b"]},
        notice_version=notice,
    )
    return life.register().assign()


@pytest.mark.parametrize(("channel", "notice"), [(Channel.OPEN311, None), (Channel.WEB, "2026-06")])
def test_who_was_told_that_the_text_is_public_is_shown_with_what_could_harm_masked(
    channel: Channel, notice: str | None
) -> None:
    found = view(told(channel, notice))
    assert found.text == "Ben Ali, telefon, kimlik, eposta, iban: çukur & <b>"
    assert found.address == "Gazi Cad. 5, tel telefon"
    assert found.attributes == {"NOT": "telefon", "DERIN": "5", "COK": ["a", "b"]}
    assert (found.lat, found.lon) == (41.286712, 36.330012)


@pytest.mark.parametrize(
    ("channel", "notice"),
    [(Channel.WEB, None), *((channel, "2026-06") for channel in Channel if channel not in (Channel.WEB, "open311"))],
)
def test_of_all_others_neither_text_nor_address_nor_answers_nor_door_is_shown(
    channel: Channel, notice: str | None
) -> None:
    found = view(told(channel, notice))
    assert (found.text, found.address, found.attributes) == (None, None, None)
    assert (found.lat, found.lon) == (41.287, 36.33)
    assert "Ali" not in found.model_dump_json()


def test_in_triage_a_request_is_shown_without_words_under_the_service_that_the_citizen_chose() -> None:
    life = Life(service="siniflandirilamadi").receive(SECRET, Channel.OPEN311, service_code="yol-cukur").register()
    life.move(events.RequestAssigned, Status.TRIAGE)
    found = view(life)
    assert (found.service_code, found.text, found.department) == ("yol-cukur", None, None)


@pytest.mark.parametrize("chosen", [None, "gurultu"])
def test_in_triage_a_request_without_a_public_service_is_hidden(chosen: str | None) -> None:
    life = Life(service="siniflandirilamadi").receive(SECRET, Channel.OPEN311, service_code=chosen).register()
    assert not is_public(document(life.move(events.RequestAssigned, Status.TRIAGE)))


@pytest.mark.parametrize("service", ["gurultu", "kadin-danisma", "kvkk-basvuru"])
def test_a_service_that_is_not_public_hides_the_request_even_if_a_public_one_was_chosen(service: str) -> None:
    life = Life(service=service).receive(SECRET, Channel.OPEN311, service_code="yol-cukur").register().assign()
    assert not is_public(document(life))


def test_a_request_is_public_as_soon_as_it_is_registered() -> None:
    life = Life().receive("çukur", Channel.OPEN311, service_code="yol-cukur").register()
    assert (view(life).status, view(life).service_code) == (Status.RECEIVED, "yol-cukur")


def test_parts_are_not_public() -> None:
    life = Life().receive("çukur", Channel.OPEN311).register().assign().split()
    part = documents_of(life.events)[life.parts[0].request_id]
    assert not is_public(part)


def test_what_the_public_hears_of_changes_it_and_a_closing_has_the_last_word() -> None:
    life = Life().receive("çukur", Channel.OPEN311).register().assign()
    assigned_at = life.now
    life.remark(events.NoteAdded).escalate()
    assert view(life).changed_at == assigned_at
    life.close(text="Yapıldı: 0532 111 22 33")
    closed_at = life.now
    life.remark(events.NoteAdded)
    found = view(life)
    assert (found.changed_at, found.closed_at) == (closed_at, closed_at)
    assert found.public_text == "Yapıldı: telefon"
    assert [step.status for step in found.steps] == [Status.RECEIVED, Status.ASSIGNED, Status.RESOLVED]
    assert [step.seq for step in found.steps] == [1, 2, 5]


def test_no_question_to_the_citizen_is_public() -> None:
    life = Life().receive("çukur", Channel.OPEN311).register().assign().pause(question="Daire numaranız?")
    assert "Daire" not in view(life).model_dump_json()


def test_the_newest_second_comes_first_and_within_it_the_number_decides() -> None:
    lives = [
        Life(number, at=START + timedelta(seconds=number // 3, microseconds=number * 1_000)) for number in range(9)
    ]
    keys = [document(life.receive("x", Channel.OPEN311).register())["newest_first"] for life in lives]
    expected = sorted(lives, key=lambda life: (-(life.number // 3), life.request_id))
    assert sorted(keys) == [keys[life.number] for life in expected]


def test_triage_and_hidden_services_are_not_among_the_public_ones() -> None:
    assert not {"siniflandirilamadi", "gurultu", "vefa-ilac"} & public_services()
    assert {"yol-cukur", "ext-sokak-lambasi"} <= public_services()


def test_the_public_asks_for_neighbourhoods_however_they_are_written() -> None:
    asked = PublicParameters.model_validate({"neighbourhood": ["KADIKOY MAH., kale", "Jamaica Plain"]})

    assert public_match(asked.filter())["neighbourhood"] == {"$in": ["Kadıköy", "Kale", "Jamaica Plain"]}


def test_a_neighbourhood_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match="neighbourhood"):
        PublicParameters.model_validate({"neighbourhood": ["x" * 101]})
