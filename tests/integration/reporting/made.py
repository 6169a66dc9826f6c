"""
Sheets for tests that project without a projector.
"""

from services.common.contracts.clocks import load_calendar
from services.reporting.figures.making import make_all
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.repository import Repository


async def make_sheets(repository: Repository) -> None:
    """
    Make the sheets of all that was projected, as the projector does beside its work.
    """
    database = repository.requests.database
    sheets = Sheets(database.client, database.name, form="form")  # type: ignore[arg-type]  # motor does not tell
    await sheets.mark_other_forms()
    await make_all(sheets, load_calendar())
