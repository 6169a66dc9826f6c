"""
How commands of reporting end when the database does not answer.
"""

import os
from collections.abc import Callable, Iterator

import pytest
import structlog
from pymongo.errors import NetworkTimeout

from services.common.kit.errors import Retryable
from services.reporting import users_cli
from services.reporting.__main__ import command, main


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def raising(error: Exception) -> Callable[..., int]:
    def run(*_: object) -> int:
        raise error

    return run


@pytest.mark.parametrize("error", [NetworkTimeout("with a host"), Retryable("no majority")])
def test_a_database_that_does_not_answer_ends_a_command_with_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(raising(error)) == os.EX_TEMPFAIL

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip().splitlines() == [
        f"error: MongoDB (MONGODB_URI) does not answer: {type(error).__name__}; what is written is kept: run it again"
    ]


def test_who_added_somebody_is_not_told_to_do_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(users_cli, "main", raising(NetworkTimeout("timed out")))

    assert main(["users", "add", "ayse"]) == os.EX_TEMPFAIL

    said = capsys.readouterr().err
    assert "run it again" not in said
    assert "users reset" in said


def test_a_mistake_of_ours_is_not_called_the_databases() -> None:
    with pytest.raises(KeyError):
        command(raising(KeyError("x")))
