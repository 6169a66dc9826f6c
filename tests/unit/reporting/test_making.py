"""
The loop that makes sheets, whatever the database does meanwhile.
"""

import asyncio
from typing import cast

import pytest
from pymongo.errors import CursorNotFound

from services.common.contracts.clocks import load_calendar
from services.reporting.figures import making
from services.reporting.figures.making import keep_made
from services.reporting.figures.sheets_repository import Mark, Sheets


class Replaced:
    """
    Sheets whose documents give place to others during the first look.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.looked_again = asyncio.Event()

    async def mark_remade(self) -> None:
        self.said.append("marked")

    async def marked(self) -> list[Mark]:
        self.said.append("looked")
        if self.said.count("looked") == 1:
            await asyncio.sleep(0.01)  # it is waited for in vain
            raise CursorNotFound("cursor id 7 not found", 43)
        self.looked_again.set()
        return []


async def test_a_look_that_a_rebuild_broke_off_is_taken_again_and_what_it_left_is_marked_before_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making, "SHORTEST_REST", 0.0)
    monkeypatch.setattr(making, "RESTS", 1_000_000)  # an outage is no work
    monkeypatch.setattr(making, "LONGEST_REST", 1_000.0)
    sheets = Replaced()

    loop = asyncio.create_task(keep_made(cast(Sheets, sheets), load_calendar()))
    await asyncio.wait_for(sheets.looked_again.wait(), 20)
    loop.cancel()

    assert sheets.said[:4] == ["marked", "looked", "marked", "looked"]
