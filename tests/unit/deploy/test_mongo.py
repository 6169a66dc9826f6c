"""
Which database server a local stack gets: never another one than was asked for.
"""

from pathlib import Path

import pytest

from deploy.stack import mongo
from deploy.stack.config import StackError


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secantusd-rs"
    monkeypatch.setattr(mongo, "SECANTUS_RS", path)
    return path


def test_what_our_packages_bring_is_taken_even_where_the_faster_one_is_built(built: Path) -> None:
    built.touch()
    assert mongo.choose("", "jvm") == mongo.choose("", "embedded") == "secantusd-py"


def test_the_compiled_server_is_taken_where_it_is_asked_for_and_built(built: Path) -> None:
    built.touch()
    assert mongo.choose("secantusd-rs", "embedded") == "secantusd-rs"


@pytest.mark.usefixtures("built")
def test_a_server_that_is_not_built_is_refused_with_the_command_that_builds_it() -> None:
    with pytest.raises(
        StackError, match=r"not built here.*cargo install secantus-mdb@\S+ --ignore-rust-version --root \S+"
    ):
        mongo.choose("secantusd-rs", "jvm")


def test_containers_have_mongodb_and_nothing_else() -> None:
    assert mongo.choose("", "docker") == mongo.choose("mongod", "docker") == "mongod"
    with pytest.raises(StackError, match="MONGO=secantusd-rs: STACK=docker has MongoDB in a container"):
        mongo.choose("secantusd-rs", "docker")


@pytest.mark.parametrize("unknown", ["rust", "mongod"])
def test_a_server_that_the_stack_cannot_run_is_refused_with_those_that_it_can(unknown: str) -> None:
    with pytest.raises(StackError, match=f"MONGO={unknown}: STACK=jvm has secantusd-py or secantusd-rs"):
        mongo.choose(unknown, "jvm")
