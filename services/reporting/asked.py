"""
What a caller asks for, as a filter: what is wrong with it is said here.
"""

from dataclasses import replace

import polars as pl
from fastapi import Request

from services.common.contracts.catalogue import catalogue
from services.common.kit.auth import Caller
from services.common.kit.http import FieldError, Problem
from services.reporting.figures.snapshot import Figures
from services.reporting.queries import Filter
from services.reporting.views import Parameters


def wrong(*errors: tuple[str, str]) -> Problem:
    """
    The answer 422 for fields, each with what would be right.
    """
    fields = [FieldError(field=field, message=message) for field, message in errors]
    return Problem(422, "Some fields are not as they should be.", errors=fields)


async def filter_of(request: Request, parameters: Parameters, caller: Caller) -> Filter:
    """
    The filter, narrowed to what the caller may see. Raises ``Problem``: days in the wrong order; departments and
    services that neither the catalogue has nor any request (another city's, imported).
    """
    filters = replace(parameters.filter(), within=caller.limited_to)
    if filters.first_day and filters.last_day and filters.first_day > filters.last_day:
        raise wrong(("to", "lies before from"))
    known = {"department": set(catalogue().departments), "service": set(catalogue().services)}
    new = {field: set(getattr(filters, field)) - names for field, names in known.items()}
    if any(new.values()):
        figures: Figures = await request.app.state.figures.current()
        strange = [field for field, names in new.items() if not _all_in(figures.frame[field], names)]
        if strange:
            raise wrong(*((field, f"no {field} of the catalogue") for field in strange))
    return filters


def _all_in(words: pl.Series, names: set[str]) -> bool:
    return all(words.is_in([name]).any() for name in names)
