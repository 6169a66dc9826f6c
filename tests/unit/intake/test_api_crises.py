"""
The HTTP side over ASGI: crises are declared and ended.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.common.contracts.events import CrisisDeclared
from tests.unit.intake.intakes import World, assert_problem, published


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path).running() as running:
        yield running


CRISIS = {"reason": "Vaka sayısı", "declared_by": "Kaymakam"}


async def crisis(world: World, name: str) -> dict[str, Any]:
    answer = await world.http.get("/v1/crises")
    assert answer.status_code == 200
    found: dict[str, Any] = next(one for one in answer.json()["crises"] if one["name"] == name)
    return found


async def test_a_crisis_is_declared_and_ended_and_all_see_it(world: World) -> None:
    assert (await crisis(world, "salgin"))["on"] is False
    declared = await world.post("/v1/crises/salgin", json=CRISIS | {"ends_at": "2099-01-01T00:00:00+03:00"})
    assert declared.status_code == 202
    event = published(world)
    assert isinstance(event, CrisisDeclared)
    assert (event.crisis, event.declared_by, event.declared_at) == ("salgin", "Kaymakam", event.starts_at)
    shown = await crisis(world, "salgin")
    assert (shown["on"], shown["ends_at"], shown["tr"]) == (
        True,
        "2098-12-31T21:00:00Z",
        "Salgın: evden çıkamayanlara destek",
    )
    assert (await crisis(world, "deprem"))["on"] is False
    ended = await world.post("/v1/crises/salgin/end", json=CRISIS | {"reason": "Bitti"})
    assert ended.status_code == 202
    shown = await crisis(world, "salgin")
    assert shown["on"] is False
    assert [(row["state"], row["reason"], row["adapter"]) for row in shown["audit"]] == [
        ("declared", "Bitti", "desk"),
        ("declared", "Vaka sayısı", "desk"),
    ]


async def test_a_crisis_is_not_queued_and_a_try_stands_in_the_audit(world: World) -> None:
    world.publisher.failing = True
    answer = await world.post("/v1/crises/salgin", json=CRISIS)
    assert_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert world.spool.entries == 0
    shown = await crisis(world, "salgin")
    assert (shown["on"], [row["state"] for row in shown["audit"]]) == (False, ["asked"])
    world.publisher.failing = False
    assert (await world.post("/v1/crises/salgin", json=CRISIS)).status_code == 202
    world.store.away = True
    for answer in (await world.post("/v1/crises/salgin/end", json=CRISIS), await world.http.get("/v1/crises")):
        assert_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
    assert len(world.publisher.records) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 1_001}, "reason"),
        ({"reason": None}, "reason"),
        ({"declared_by": "\u200b"}, "declared_by"),
        ({"declared_by": "x" * 201}, "declared_by"),
        ({"starts_at": "2026-06-01"}, "starts_at"),
        ({"ends_at": "2026-06-01T00:00:00"}, "ends_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"starts_at": "2026-06-02T00:00:00Z", "ends_at": "2026-06-02T03:00:00+03:00"}, "ends_at"),
        ({"crisis": "salgin"}, "crisis"),
    ],
)
async def test_an_odd_crisis_is_refused_by_name(world: World, fields: dict[str, Any], field: str) -> None:
    assert_problem(await world.post("/v1/crises/salgin", json=CRISIS | fields), 422, field)
    assert world.publisher.records == []
    assert world.store.audit == []


async def test_an_unknown_crisis_is_404_with_those_that_there_are(world: World) -> None:
    for path in ("/v1/crises/covid", "/v1/crises/covid/end"):
        answer = await world.post(path, json=CRISIS)
        assert_problem(answer, 404)
        assert "deprem, salgin" in answer.json()["detail"]


async def test_only_a_key_for_crises_may_see_and_declare_them(world: World) -> None:
    for key in ("writer", "fen"):
        headers = {"X-API-Key": key}
        assert_problem(await world.post("/v1/crises/salgin", json=CRISIS, headers=headers), 403)
        assert_problem(await world.post("/v1/crises/salgin/end", json=CRISIS, headers=headers), 403)
        assert_problem(await world.http.get("/v1/crises", headers=headers), 403)
