"""
All pages of the desk. Each works without scripts: forms are posted and lead on to a page; ``desk.js`` posts the same
forms and asks the same routes for JSON.
"""

from pathlib import Path
from typing import Final

from fastapi import APIRouter

from services.intake.desk import callback_pages, form_pages, request_pages

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
BODY_LIMITS: Final = {"/console": 12_600_000}
"""Bytes: without scripts a photo comes with the form."""

router = APIRouter()
for part in (form_pages.router, form_pages.asked, request_pages.router, callback_pages.router):
    router.include_router(part)
