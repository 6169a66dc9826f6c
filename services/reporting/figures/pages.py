"""
The page that says what each figure means. For everybody: what a city publishes, anybody may read up.
"""

from fastapi import APIRouter, Request, Response

from services.common.ui.pages import PagesOf
from services.reporting.figures.definitions import chapters

router = APIRouter(include_in_schema=False)


@router.get("/tanimlar")
@router.get("/definitions")
async def definitions_page(request: Request, pages: PagesOf) -> Response:
    """
    All definitions, each with an anchor by its id.
    """
    return pages.render(request, "definitions.html", chapters=chapters())
