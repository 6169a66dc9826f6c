"""
A request's life in words: what happened, who did it, and for whose eyes each word was.
"""

import pytest

from services.common.contracts import events
from services.common.contracts.roles import DESK
from services.common.contracts.topics import LIFECYCLE_TYPES
from services.common.contracts.vocabulary import Action, DecidedBy, Outcome, Status
from services.reporting.inbox import telling
from services.reporting.projections import Document
from tests.unit.reporting.inbox_rooms import AYSE, MEHMET, NAMES
from tests.unit.reporting.lives import MASTER, Life, documents_of

EVERYBODY = frozenset({"zabita", "fen-isleri", DESK})


def document(one: Life) -> Document:
    return next(found for found in documents_of(one.events).values() if found["parent_id"] is None)


def steps(one: Life, departments: frozenset[str] = EVERYBODY) -> list[telling.Step]:
    return telling.steps(document(one), NAMES, departments)


def life() -> Life:
    return Life(service="gurultu").receive().register().assign()


def test_each_step_is_told_in_its_order_in_both_languages() -> None:
    one = life().move(events.StatusChanged, Status.ACCEPTED, action=Action.ACCEPT, by=AYSE).close()

    told = steps(one)

    assert [step.seq for step in told] == [1, 2, 3, 4]
    assert [step.words.tr for step in told] == [
        "Başvuru kaydedildi",
        "Zabıta Müdürlüğü birimine verildi: Gürültü (işyeri, eğlence, inşaat)",
        "Üstlenildi",
        "Kapandı: Çözüldü",
    ]
    assert all(step.words.en and step.who.en for step in told)


@pytest.mark.parametrize(
    ("more", "who"),
    [
        ({"by": AYSE, "action": Action.ACCEPT}, "Ayşe Kaya"),
        ({"by": "u_" + "9" * 16, "action": Action.ACCEPT}, "Bir görevli"),
        ({"action": Action.ACCEPT}, "Zabıta Müdürlüğü"),
        ({}, "Sistem"),
    ],
)
def test_who_did_it_is_a_name_or_the_department_s_own_system_or_ours(more: dict[str, str], who: str) -> None:
    assert steps(life().move(events.StatusChanged, Status.ACCEPTED, **more))[-1].who.tr == who  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("decided_by", "who"),
    [
        (DecidedBy.RULE, "Kural"),
        (DecidedBy.MODEL, "Sınıflandırıcı"),
        (DecidedBy.EXPLICIT, "Bildirenin seçimi"),
        (DecidedBy.PERSON, "Bir görevli"),
    ],
)
def test_who_assigned_it_is_what_decided(decided_by: DecidedBy, who: str) -> None:
    one = Life(service="gurultu").receive().register()
    one.move(events.RequestAssigned, Status.ASSIGNED, decided_by=decided_by)

    assert steps(one)[-1].who.tr == who


def test_a_text_for_the_citizen_is_told_with_the_step_that_said_it_alone() -> None:
    one = life().move(events.StatusChanged, Status.SCHEDULED, public_text="Yarın geliyoruz")
    one.remark(events.NoteAdded, public_text="Yarın geliyoruz")

    assert [step.public for step in steps(one)] == [None, None, "Yarın geliyoruz", None]


def test_a_question_is_told_once() -> None:
    one = life().pause(question="Hangi kat?").remark(events.CitizenReminded, question="Hangi kat?")

    assert [step.question for step in steps(one)] == [None, None, "Hangi kat?", None]


def test_words_for_a_department_are_for_its_eyes_alone() -> None:
    one = life().remark(events.NoteAdded, by=AYSE)
    kept = document(one)
    kept["inner"] = {"3": {"id": "a", "at": one.now, "department": "zabita", "note": "anahtar kapıcıda"}}

    ours = telling.steps(kept, NAMES, frozenset({"zabita"}))
    theirs = telling.steps(kept, NAMES, frozenset({"fen-isleri"}))

    assert [step.note for step in ours] == [None, None, "anahtar kapıcıda"]
    assert [step.note for step in theirs] == [None] * 3


def test_passing_on_names_both_departments_and_who_did_it() -> None:
    one = life()
    one.department = "fen-isleri"
    one.move(events.RequestAssigned, Status.ASSIGNED, action=Action.TRANSFER, by=MEHMET, service_code="yol-cukur")

    last = steps(one)[-1]

    assert last.words.tr == "Zabıta Müdürlüğü → Fen İşleri Müdürlüğü: Yolda çukur, bozuk asfalt"
    assert last.who.tr == "Mehmet Demir"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"outcome": Outcome.NOT_POSSIBLE}, "Kapandı: Yapılamıyor"),
        ({"outcome": Outcome.NO_REPLY}, "Kapandı: Yanıt gelmedi"),
        ({}, "Kapandı: Yapılamıyor"),
    ],
)
def test_an_end_says_how_it_ended(more: dict[str, Outcome], words: str) -> None:
    assert steps(life().move(events.StatusChanged, Status.REJECTED, **more))[-1].words.tr == words  # type: ignore[arg-type]


def test_a_duplicate_names_its_master() -> None:
    one = life().move(events.StatusChanged, Status.DUPLICATE, outcome=Outcome.DUPLICATE, master_id=MASTER)

    assert steps(one)[-1].words.tr.startswith("Kapandı: Mükerrer: ")
    assert MASTER[:4] in steps(one)[-1].words.tr


def test_what_came_after_somebody_looked_is_what_they_have_not_seen() -> None:
    one = life().move(events.StatusChanged, Status.ACCEPTED).close()

    assert [step.seq for step in telling.since(steps(one), 3)] == [4]


def test_the_way_between_departments_says_who_sent_it_on_and_how() -> None:
    one = life()
    one.department = DESK
    one.move(events.RequestAssigned, Status.TRIAGE, action=Action.REJECT, by=AYSE)
    one.department = "fen-isleri"
    one.move(events.RequestAssigned, Status.ASSIGNED, action=Action.TRANSFER, decided_by=DecidedBy.PERSON)

    way = telling.passed_on(document(one)["trail"], NAMES)

    assert [(holder.tr, how.tr) for _, holder, how in way[1:]] == [
        (telling.department_words(DESK).tr, "Reddetti: Ayşe Kaya"),
        ("Fen İşleri Müdürlüğü", f"Devretti: {telling.department_words(DESK).tr}"),
    ]


def test_every_kind_of_event_has_words_of_its_own() -> None:
    extra: dict[str, dict[str, object]] = {
        "RequestEscalated": {"clock": "resolution", "level": "head", "step": 2, "overdue": True},
        "DuplicateReceived": {"duplicate_event_id": "x"},
        "UpdateRefused": {"reason": "too_late", "detail": "x"},
        "FollowerAdded": {"follower": MASTER},
        "MasterProgressed": {"master_status": "accepted", "master_seq": 3},
    }
    found = {}
    for kind in LIFECYCLE_TYPES:
        name = kind.__name__
        one = Life(service="gurultu").receive().register()
        more = {**extra.get(name, {})}
        if name == "RequestEscalated":
            more["due_at"] = one.now
        one.move(kind, Status.ACCEPTED, **more)  # type: ignore[arg-type]
        found[name] = steps(one)[-1].words.tr

    assert len(set(found.values())) == len(found), found
