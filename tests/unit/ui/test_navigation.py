"""
Who is offered which pages.
"""

from dataclasses import replace
from itertools import combinations

import pytest

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role
from services.common.ui.links import Links
from services.common.ui.navigation import navigation
from tests.unit.ui.guide import LINKS, OPERATOR

TABLE = {
    (Role.OPERATOR,): ["desk", "triage", "inbox", "callbacks", "panel"],
    (Role.DEPARTMENT,): ["inbox", "panel"],
    (Role.MANAGER,): ["panel"],
    (Role.ADMIN,): ["users", "audit", "health"],
    (Role.OPERATOR, Role.MANAGER): ["desk", "triage", "inbox", "callbacks", "panel"],
    (): [],
}


def keys(*roles: Role, departments: tuple[str, ...] = ("zabita",)) -> list[str]:
    person = replace(OPERATOR, roles=frozenset(roles), departments=frozenset(departments))
    return [item.key for item in navigation(person, LINKS)]


@pytest.mark.parametrize("roles", TABLE, ids=lambda roles: "+".join(roles) or "none")
def test_each_role_is_offered_its_pages(roles: tuple[Role, ...]) -> None:
    assert keys(*roles) == TABLE[roles]


def test_several_roles_are_offered_what_each_of_them_is() -> None:
    for count in range(1, 5):
        for roles in combinations(Role, count):
            assert set(keys(*roles)) == {key for role in roles for key in keys(role)}


def test_a_stranger_is_offered_nothing() -> None:
    assert navigation(None, LINKS) == ()


def test_an_operators_inbox_is_the_desks() -> None:
    person = replace(OPERATOR, roles=frozenset({Role.OPERATOR}), departments=frozenset({"zabita"}))
    (inbox,) = [item for item in navigation(person, LINKS) if item.key == "inbox"]
    assert inbox.href == "http://127.0.0.1:8001/department/basin-halkla-iliskiler"


def test_several_departments_are_a_menu_by_name() -> None:
    person = replace(OPERATOR, roles=frozenset({Role.DEPARTMENT}), departments=frozenset({"zabita", "fen-isleri"}))
    inbox, _ = navigation(person, LINKS)
    assert not inbox.href
    assert [(item.key, item.words.tr) for item in inbox.inner] == [
        ("inbox:fen-isleri", "Fen İşleri Müdürlüğü"),
        ("inbox:zabita", "Zabıta Müdürlüğü"),
    ]


def test_every_department_of_the_catalogue_has_a_short_name_in_both_languages() -> None:
    person = replace(OPERATOR, roles=frozenset({Role.DEPARTMENT}), departments=frozenset(catalogue().departments))
    inbox, _ = navigation(person, LINKS)
    for item in inbox.inner:
        assert item.words.tr
        assert item.words.en
        assert "(" not in item.words.tr + item.words.en


def test_no_shortcut_stands_twice() -> None:
    shortcuts = [item.shortcut for item in navigation(OPERATOR, LINKS) if item.shortcut]
    assert len(shortcuts) == len(set(shortcuts))


@pytest.mark.parametrize("url", ["https://example.org/", "example.org", "ftp://example.org", "/reporting", "https://"])
def test_a_public_url_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match=r"intake: .*no slash at the end"):
        Links(intake=url, reporting="https://example.org")


def test_the_way_back_is_quoted() -> None:
    assert LINKS.renew("http://127.0.0.1:8000/console?q=a&b").endswith(
        "/session/renew?next=http%3A%2F%2F127.0.0.1%3A8000%2Fconsole%3Fq%3Da%26b"
    )


def test_open_data_is_where_reporting_is() -> None:
    assert Links(intake="https://a.example", reporting="https://b.example").open_data == "https://b.example/acik-veri"


def test_one_host_is_one_origin() -> None:
    assert Links(intake="https://ilkim.example/desk", reporting="https://ilkim.example").origins == (
        "https://ilkim.example",
    )


@pytest.mark.parametrize("role", Role)
def test_the_messages_are_offered_to_all_but_departments_where_they_can_be_looked_at(role: Role) -> None:
    links = replace(LINKS, notify="http://127.0.0.1:8002")
    offered = {item.key: item.href for item in navigation(replace(OPERATOR, roles=frozenset({role})), links)}
    expected = None if role is Role.DEPARTMENT else "http://127.0.0.1:8002/previews"
    assert offered.get("previews") == expected
    assert links.origins == ("http://127.0.0.1:8000", "http://127.0.0.1:8001", "http://127.0.0.1:8002")
