"""
ETags: the same for the same, and found among those that a browser has.
"""

import pytest
from fastapi import Request

from services.reporting.tags import has, tag_of


def request(given: str) -> Request:
    return Request({"type": "http", "headers": [(b"if-none-match", given.encode())]})


def test_a_tag_is_the_same_for_the_same_parts_whatever_the_order_of_a_set() -> None:
    many = [f"mudurluk-{n}" for n in range(50)]
    assert tag_of("1", frozenset(many)) == tag_of("1", frozenset(reversed(many)))
    assert len({tag_of("1", None), tag_of("1", frozenset()), tag_of("1"), tag_of("2"), tag_of("1", "")}) == 5


@pytest.mark.parametrize("given", ["{}", '"other", {}', "*", " {} "])
def test_what_the_browser_has_is_known(given: str) -> None:
    tag = tag_of("1")
    assert has(request(given.format(tag)), tag)
    assert has(request(given.format(tag.removeprefix("W/"))), tag)


@pytest.mark.parametrize("given", ["", '"other"', 'W/"other"'])
def test_what_it_has_not_is_not(given: str) -> None:
    assert not has(request(given), tag_of("1"))
