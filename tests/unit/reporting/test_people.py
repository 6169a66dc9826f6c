"""
What is decided about those who work here, as laws.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.roles import Role
from services.reporting.people import (
    FREE_FAILURES,
    LONGEST_WAIT,
    SESSION_IDLE,
    SESSION_LIFETIME,
    Account,
    AddressLimit,
    Attempts,
    BadAccount,
    Grant,
    NoRole,
    Session,
    check_password,
    folded_user,
    granted,
    locks_everybody_out,
    provider_name,
    safe_next,
    wait_after,
)

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
AYSE = Account("u_0123456789abcdef", "ayse.kaya", "Ayşe Kaya", frozenset({Role.OPERATOR}), frozenset())
ORIGINS = ("http://127.0.0.1:8000", "https://talep.example.bel.tr")
seconds = st.integers(min_value=0, max_value=4_000)


# --- lock-out ---


def test_five_failures_are_free_and_then_it_doubles_up_to_a_quarter_of_an_hour() -> None:
    minutes = [wait_after(failures) / timedelta(minutes=1) for failures in range(12)]
    assert minutes == [0, 0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15]


@given(st.lists(seconds, max_size=40))
def test_a_guesser_gets_five_tries_and_then_fewer_than_one_a_minute(pauses: list[int]) -> None:
    """
    However the tries are spread: a try counts only when no wait is left, and then the wait never gets shorter.
    """
    attempts, now, looked_at = Attempts(), NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        if not attempts.wait(now):
            before = attempts
            attempts = attempts.failed(now)
            looked_at.append(now)
            assert attempts.failures == before.failures + 1
            assert attempts.wait(now) == wait_after(attempts.failures) <= LONGEST_WAIT
    later = looked_at[FREE_FAILURES - 1 :]
    assert all(after - before >= timedelta(minutes=1) for before, after in pairwise(later))


@given(st.integers(min_value=0, max_value=10**9))
def test_the_wait_is_bounded_for_any_number_of_failures(failures: int) -> None:
    assert timedelta() <= wait_after(failures) <= wait_after(failures + 1) <= LONGEST_WAIT


@given(st.lists(seconds, min_size=1, max_size=60))
def test_an_address_fails_at_most_so_often_in_any_window(pauses: list[int]) -> None:
    limit, window, now, failed = AddressLimit(most=5), timedelta(minutes=15), NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        wait = limit.wait("10.0.0.1", now)
        assert limit.wait("10.0.0.2", now) == timedelta()
        if not wait:
            limit.failed("10.0.0.1", now)
            failed.append(now)
        else:
            assert limit.wait("10.0.0.1", now + wait) == timedelta()
    assert all(failed[i + 5] - failed[i] >= window for i in range(len(failed) - 5))


# --- passwords ---


@pytest.mark.parametrize(
    "password",
    [
        "kisa",
        "on bir harf",
        "x" * 201,
        "aaaaaaaaaaaaaaaa",
        "ababababababab",
        "password1234",
        "Passw0rd!!!!",
        "AyşeKaya2026",
        "ayse.kaya.55",
        "İLKADIMBELEDİYESİ",
        "galatasaray1905",
        "123456789012",
        "qwertyuiop12",
    ],
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(BadAccount) as caught:
        check_password(password, AYSE)
    assert caught.value.field == "password"
    assert password not in str(caught.value)
    assert caught.value.tr
    assert caught.value.en


@pytest.mark.parametrize(
    "password",
    [
        "sarı kedi çatıda uyuyor",
        "correct horse battery",
        "zorlubirparola",
        "🐈🐕🐎🦊🐻🐼 ve altı hayvan",
        " boşluk da sayılır ",
    ],
)
def test_length_is_what_counts(password: str) -> None:
    check_password(password, AYSE)


# --- accounts ---


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user": ""}, "user"),
        ({"user": "Ayse"}, "user"),
        ({"user": "ay se"}, "user"),
        ({"user": "x" * 65}, "user"),
        ({"user": ".ayse"}, "user"),
        ({"name": " "}, "name"),
        ({"name": "A\nB"}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"roles": frozenset()}, "roles"),
        ({"departments": frozenset({"zabita"})}, "departments"),
        ({"roles": frozenset({Role.DEPARTMENT})}, "departments"),
        ({"roles": frozenset({Role.DEPARTMENT}), "departments": frozenset({"nowhere"})}, "departments"),
    ],
)
def test_an_account_that_cannot_be_is_refused_by_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadAccount) as caught:
        replace(AYSE, **change).checked()  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize("typed", ["Ayşe.Kaya", " AYŞE.KAYA ", "ayse.kaya", "AYSE.KAYA"])
def test_case_and_turkish_letters_do_not_matter_in_a_user_name(typed: str) -> None:
    assert folded_user(typed) == "ayse.kaya"


@given(st.text())
def test_any_user_name_can_be_folded_and_folding_twice_changes_nothing(typed: str) -> None:
    assert folded_user(folded_user(typed)) == folded_user(typed)
    folded_user(typed).encode()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5), st.data())
def test_the_last_who_can_manage_users_cannot_be_lost(rows: list[tuple[bool, bool]], data: st.DataObject) -> None:
    accounts = [
        replace(AYSE, id=str(n), roles=frozenset({Role.ADMIN if admin else Role.OPERATOR}), disabled=disabled)
        for n, (admin, disabled) in enumerate(rows)
    ]
    changed = replace(data.draw(st.sampled_from(accounts)), disabled=True)
    others = [account for account in accounts if account.id != changed.id]
    left = [account for account in others if Role.ADMIN in account.roles and not account.disabled]
    assert locks_everybody_out(accounts, changed) == (not left)


# --- sessions ---


@given(seconds, st.lists(st.integers(min_value=0, max_value=3_000), max_size=40))
def test_a_session_ends_after_twelve_hours_whatever_happens_and_after_an_hour_of_nothing(
    pause: int, uses: list[int]
) -> None:
    session, now = Session("s", AYSE.id, "c", NOW, NOW), NOW
    for use in [*uses, pause]:
        idle = timedelta(seconds=use)
        now += idle
        assert session.alive(now) == (now - NOW < SESSION_LIFETIME and idle < SESSION_IDLE)
        if not session.alive(now):
            return
        session = replace(session, seen_at=now)


# --- where a sign-in may lead ---


@pytest.mark.parametrize(
    "wanted",
    [
        "/department/zabita?status=new",
        "/",
        "http://127.0.0.1:8000/console",
        "https://talep.example.bel.tr/console?x=https://evil.example",
        "HTTPS://TALEP.example.bel.tr/console",
    ],
)
def test_our_own_pages_are_where_it_leads(wanted: str) -> None:
    assert safe_next(wanted, ORIGINS, "/home") == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "console",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        " //evil.example",
        "https:evil.example",
        "https:///evil.example",
        "https://evil.example",
        "https://talep.example.bel.tr.evil.example",
        "https://talep.example.bel.tr@evil.example",
        "https://evil.example#talep.example.bel.tr",
        "https://evil.example\\@talep.example.bel.tr",
        "http://talep.example.bel.tr/",
        "https://talep.example.bel.tr:8443/",
        "http://127.0.0.1:80000/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://127.0.0.1:8000/",
        "http://[::1/",
        "/" + "x" * 2_000,
    ],
)
def test_nothing_else_is(wanted: str | None) -> None:
    assert safe_next(wanted, ORIGINS, "/home") == "/home"


@given(st.text(alphabet="/\\:@.#?htpsevil127081\t\n ", max_size=30))
def test_whatever_is_asked_for_it_stays_with_us(wanted: str) -> None:
    found = safe_next(wanted, ORIGINS, "/home")
    relative = found.startswith("/") and not found.startswith("//") and "\\" not in found and found.isprintable()
    assert (
        relative
        or found.startswith(tuple(f"{origin}{end}" for origin in ORIGINS for end in ("/", "?", "#")))
        or found in ORIGINS
    )


# --- a provider's claims ---

MAPPING = {
    "masa": (Grant.parse("operator"),),
    "zabita-ekip": (Grant.parse("department:zabita"),),
    "fen": (Grant.parse("department:fen-isleri"),),
}


@pytest.mark.parametrize(
    ("claims", "roles", "departments"),
    [
        ({"groups": "masa"}, {Role.OPERATOR}, set()),
        ({"groups": ["masa", "zabita-ekip", "other"]}, {Role.OPERATOR, Role.DEPARTMENT}, {"zabita"}),
        ({"groups": ["fen", "zabita-ekip", 5, None]}, {Role.DEPARTMENT}, {"zabita", "fen-isleri"}),
    ],
)
def test_claims_give_what_they_are_mapped_to(
    claims: dict[str, object], roles: set[Role], departments: set[str]
) -> None:
    assert granted(claims, "groups", MAPPING) == (frozenset(roles), frozenset(departments))


def test_a_claim_may_lie_inside_another() -> None:
    assert granted({"realm_access": {"roles": ["masa"]}}, "realm_access.roles", MAPPING)[0] == {Role.OPERATOR}


@pytest.mark.parametrize("claims", [{}, {"groups": []}, {"groups": "nothing"}, {"groups": {"masa": 1}}, {"groups": 7}])
def test_claims_that_give_nothing_let_nobody_in(claims: dict[str, object]) -> None:
    with pytest.raises(NoRole):
        granted(claims, "groups", MAPPING)


@pytest.mark.parametrize("text", ["mayor", "department", "department:", "department:nowhere", "operator:zabita", ""])
def test_a_grant_that_gives_nothing_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Grant.parse(text)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "7", "name": "Ayşe Kaya"}, "Ayşe Kaya"),
        ({"sub": "7", "given_name": "Ayşe", "family_name": "Kaya"}, "Ayşe Kaya"),
        ({"sub": "7", "preferred_username": "ayse"}, "ayse"),
        ({"sub": "7"}, "7"),
        ({"sub": "7", "name": "A\x00B\n"}, "AB"),
        ({"sub": "7", "name": "x" * 200}, "x" * 80),
    ],
)
def test_a_name_is_found_and_fits(claims: dict[str, object], name: str) -> None:
    assert provider_name(claims) == name
