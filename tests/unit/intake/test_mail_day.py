"""
Every recorded mail through a real SMTP client and the real door: what becomes of it, and again when it comes twice.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.common.contracts.events import ContactChanged
from tests.unit.intake.mails import Room, cases, outcome, raw_of, room, wanted


@pytest.fixture
async def mailroom() -> AsyncIterator[Room]:
    async with room() as found:
        yield found


def counted(what: str) -> float:
    return REGISTRY.get_sample_value("mails_total", {"outcome": what}) or 0.0


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["file"].removesuffix(".eml"))
async def test_a_mail_becomes_what_is_written_beside_it(mailroom: Room, case: Mapping[str, Any]) -> None:
    before = counted(case["is"])
    answer = await mailroom.send(raw_of(case), envelope=case["envelope"])
    assert answer[0] == case["answer"], answer
    assert outcome(mailroom.kafka.taken()) == wanted(case)
    assert counted(case["is"]) == before + 1


async def test_all_mails_once_more_are_the_same_messages_with_the_same_files(mailroom: Room) -> None:
    runs = []
    for _ in range(2):
        for case in cases():
            await mailroom.send(raw_of(case), envelope=case["envelope"])
        events = [event for event in mailroom.kafka.taken() if not isinstance(event.data, ContactChanged)]
        runs.append([(event.meta.id, event.data.model_dump(exclude={"received_at"})) for event in events])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 40


async def test_a_mail_that_comes_another_way_is_the_same_message(mailroom: Room) -> None:
    pairs = [case for case in cases() if "same_as" in case]
    assert pairs
    for case in pairs:
        await mailroom.send(raw_of({"file": case["same_as"]}))
        await mailroom.send(raw_of(case))
        first, second = [
            event.meta.id for event in mailroom.kafka.taken() if not isinstance(event.data, ContactChanged)
        ]
        assert first == second


def test_there_are_enough_mails_of_each_sort() -> None:
    assert len(cases()) >= 60
    assert {case["is"] for case in cases()} == {"letter", "auto_reply", "bounce", "loop", "refused"}
