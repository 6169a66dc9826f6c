"""
All sheets together in memory: what every figure is asked of.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from services.reporting.figures.sheets_repository import Sheets


@dataclass(frozen=True, slots=True)
class Figures:
    """
    The facts of all requests at one moment, by ``facts.SCHEMA``. ``version`` changes when they do. ``as_of``: all
    that was published until then is in; None while nobody knows.
    """

    frame: pl.DataFrame
    version: str
    as_of: datetime | None


class Snapshot:
    """
    The sheets of the database, read again where they changed.
    """

    def __init__(self, sheets: "Sheets") -> None:
        self._sheets = sheets

    async def current(self) -> Figures:
        """
        The facts as they are now, at most half a second old. Raises ``kit.mongo.UNAVAILABLE`` as they come.
        """
        raise NotImplementedError
