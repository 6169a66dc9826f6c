"""
What gets the mailroom ready does not die unseen.
"""

import asyncio
import os
import signal
from collections.abc import Collection

import pytest
from pydantic import SecretStr

from services.common.kit.health import Health
from services.common.kit.publisher import KafkaPublisher
from services.intake.mail.wiring import mailroom
from services.intake.settings import IntakeSettings, MailSettings


async def test_a_mailroom_that_breaks_while_it_gets_ready_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, signals = asyncio.Event(), []

    async def start(self: KafkaPublisher, names: Collection[str]) -> None:
        raise TypeError("a bug")

    def kill(process: int, number: int) -> None:
        signals.append((process, number))
        stopped.set()

    monkeypatch.setattr(KafkaPublisher, "start", start)
    monkeypatch.setattr(os, "kill", kill)
    settings = IntakeSettings(id_secret=SecretStr("a secret of the tests that is long"))
    async with mailroom(settings, MailSettings(port=0), Health()), asyncio.timeout(10):
        await stopped.wait()
    assert signals == [(os.getpid(), signal.SIGTERM)]
