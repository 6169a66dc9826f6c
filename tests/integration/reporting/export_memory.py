"""
``python -m tests.integration.reporting.export_memory <form>``: send 20 days of a thousand requests each to nobody, then
200 days, and print as JSON how many bytes each was and the most memory (KB) that the process had by then.
"""

import asyncio
import json
import resource
import sys
from datetime import date, timedelta

from services.reporting.figures.exports import columns, shown
from services.reporting.figures.exports_api import chosen
from services.reporting.figures.facts import frame_of
from services.reporting.figures.files import download
from services.reporting.figures.sheets import encode
from services.reporting.figures.tables import Csv, GeoJson, Writer
from services.reporting.figures.workbook import Xlsx
from services.reporting.names import Names
from services.reporting.queries import Filter
from tests.unit.reporting.facts import fact
from tests.unit.reporting.files import NOW, SheetsInMemory

A_DAY = 1_000


class AlikeSheets(SheetsInMemory):
    """
    Many days with the same requests.
    """

    def __init__(self, days: int) -> None:
        rows = [fact(neighbourhood=f"Mahalle {n % 60}", lat=41.287, lon=36.33) for n in range(A_DAY)]
        content = encode(frame_of(rows))
        super().__init__()
        self.days = {str(date(2020, 1, 1) + timedelta(days=n)): content for n in range(days)}


def writer_of(form: str) -> Writer:
    """
    What makes the file.
    """
    match form:
        case "csv":
            return Csv(columns(people=False))
        case "xlsx":
            return Xlsx(columns(people=True), "tr", "Başvurular")
    return GeoJson()


async def send(form: str, days: int) -> int:
    """
    The length of the file.
    """
    called, people = Names().tables("tr"), form == "xlsx"
    frames = chosen(AlikeSheets(days), Filter(), lambda facts: shown(facts, called, NOW, people=people))  # type: ignore[arg-type]
    length = 0
    async for piece in download(writer_of(form), frames, "x").body_iterator:
        length += len(piece)
    return length


def peak() -> int:
    """
    The most memory that this process ever had, in KB.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    for count in (20, 200):
        length = asyncio.run(send(sys.argv[1], count))
        sys.stdout.write(json.dumps({"bytes": length, "peak": peak()}) + "\n")
