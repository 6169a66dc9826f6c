"""
All pages of those who work on requests.
"""

from fastapi import APIRouter

from services.reporting.inbox import list_pages, request_pages, triage_pages

router = APIRouter()
router.include_router(triage_pages.router)
router.include_router(list_pages.router)
router.include_router(request_pages.router)
