"""
The definitions: one for each figure, shown wherever they are looked for.
"""

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
from fastapi import FastAPI

from deploy.figures import DOCUMENT, document
from services.common.kit.http import install
from services.common.ui.links import Links
from services.common.ui.pages import install_pages
from services.reporting.api import PAGES
from services.reporting.figures import views
from services.reporting.figures.definitions import chapters, definitions
from services.reporting.figures.pages import router


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async def ready() -> dict[str, object]:
        return {"ready": True}

    app = FastAPI()
    app.include_router(router)
    install(app, ready=ready)
    install_pages(
        app, templates=PAGES, static=PAGES / "static", links=Links(intake="http://intake", reporting="http://test")
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "write it anew: python -m deploy.figures"


def test_an_id_is_defined_once() -> None:
    ids = [figure.id for chapter in chapters() for figure in chapter.figures]

    assert sorted(ids) == sorted(set(ids))


def test_every_count_of_a_row_has_its_definition() -> None:
    fields = {*views.SummaryRow.model_fields, *views.SlaRow.model_fields}

    assert fields - definitions().keys() == {"department", "priority"}


@pytest.mark.parametrize("path", ["/tanimlar", "/definitions"])
@pytest.mark.parametrize("language", ["tr", "en"])
async def test_the_page_has_an_anchor_and_the_words_of_every_figure(
    client: httpx.AsyncClient, path: str, language: str
) -> None:
    page = unescape((await client.get(path, params={"lang": language})).text)

    for figure in definitions().values():
        words = figure.tr if language == "tr" else figure.en
        assert f'id="{figure.id}"' in page
        assert words.name in page
        assert words.text in page


def test_what_the_dashboard_links_to_is_defined() -> None:
    templates = " ".join(file.read_text(encoding="utf-8") for file in (PAGES / "dashboard").glob("*.html"))
    linked = set(re.findall(r"(?:tile|card)\('.*?\), '([a-z0-9_]+)'", templates))

    assert linked
    assert linked - definitions().keys() == set()
