"""
verify on the running system: it agrees, and says so when something is missing.
"""

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from deploy import verify
from deploy.stack.stack import Stack

pytestmark = pytest.mark.integration


@pytest.fixture
def documents(stack: Stack) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](stack.env["MONGODB_URI"]) as client:
        yield client["reporting"]["requests"]


def ran(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "MONGODB_URI"):
        monkeypatch.setenv(name, stack.env[name])
    monkeypatch.setattr(sys, "argv", ["verify", *arguments])
    code = verify.main()
    return code, capsys.readouterr().out


def test_what_was_posted_agrees_and_what_reporting_lost_is_named(
    stack: Stack,
    documents: Collection[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = {"channel": "web", "service_code": "yol-cukur", "text": "Çukur", "contact": "none"}
    headers = {"X-API-Key": stack.env["API_KEY"]}
    answer = httpx.post(f"{stack.env['INTAKE_URL']}/v1/requests", json=body, headers=headers, timeout=30)
    number = answer.json()["request_id"]
    assert number not in ran(stack, monkeypatch, capsys, "--patience", "60")[1]
    document = documents.find_one_and_delete({"_id": number})
    assert document is not None
    try:
        code, out = ran(stack, monkeypatch, capsys, "--patience", "1")
    finally:
        documents.insert_one(document)
    assert code == 1
    said = [line for line in out.splitlines() if number in line]
    assert len(said) == 1
    assert "not shown by reporting" in said[0]
    assert "python -m services.reporting rebuild" in out


def test_a_day_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["verify", "--from", "gestern"])
    with pytest.raises(SystemExit):
        verify.main()
    assert "it is a day" in capsys.readouterr().err
