"""
Notify's app without a database and without keys; who is signed in, ``tests/people.py`` knows.
"""

from typing import cast

from fastapi import FastAPI

from services.common.kit.auth import Caller
from services.common.kit.guard import People
from services.notify.api import Deps, create_app
from services.notify.repository import NotifyRepository
from services.notify.settings import NotifySettings
from tests.people import FakeTokens


class NoKeys:
    """
    Knows no API key.
    """

    async def caller(self, key: str) -> Caller | None:
        return None


def previewing() -> FastAPI:
    """
    The app. What asks the database fails.
    """
    people = People(NoKeys(), FakeTokens(), "http://127.0.0.1:8002", "http://127.0.0.1:8001")
    return create_app(NotifySettings(), Deps(cast(NotifyRepository, None), people))
