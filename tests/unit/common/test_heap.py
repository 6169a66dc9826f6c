import gc
from collections.abc import Iterator

import pytest

from services.common.kit.heap import NEW, settle


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_is_made_before_is_never_looked_at_again() -> None:
    made = [{"a": 1}]
    settle()
    later = [{"a": 1}]
    looked_at = {id(one) for one in gc.get_objects()}
    assert id(made) not in looked_at
    assert id(later) in looked_at


def test_the_young_are_looked_at_less_often_but_they_are() -> None:
    settle()
    assert gc.isenabled()
    assert gc.get_threshold()[0] == NEW
