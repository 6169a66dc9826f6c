"""
Looking at pages: serving an app on loopback, accessibility, pictures.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Page

TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """
    The app on a port of 127.0.0.1 (0: a free one), from a thread; gives its URL.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # a browser that comes before the thread has started waits
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", loop="asyncio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def axe(page: Page, *, without: tuple[str, ...] = ()) -> None:
    """
    Fail if axe-core finds a serious or critical violation of WCAG 2.2 AA on the page as it is now.
    """
    rules = {rule: {"enabled": False} for rule in without}
    found = Axe().run(page, options={"runOnly": TAGS, "resultTypes": ["violations"], "rules": rules}).response
    serious = [
        f"{row['id']} ({row['impact']}): {row['help']}\n    "
        + "\n    ".join(f"{node['target']}: {node['failureSummary']}" for node in row["nodes"][:5])
        for row in found["violations"]
        if row["impact"] in ("serious", "critical")
    ]
    assert not serious, "\n".join(serious)


def shot(page: Page, name: str, *, full: bool = True) -> None:
    """
    A picture of the page as ``$SHOTS/<name>.png``; nothing if SHOTS is not set.
    """
    folder = os.environ.get("SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)


def until(page: Page, expression: str, seconds: float = 10) -> None:
    """
    Wait until an expression is true on the page. (Our content security policy forbids ``page.wait_for_function``.)
    """
    for _ in range(int(seconds * 20)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{expression} did not become true in {seconds} s")


def no_sideways_scroll(page: Page) -> None:
    """
    Fail if the page is wider than its window, and say what sticks out.
    """
    wide = page.evaluate(
        """() => {
          if (document.documentElement.scrollWidth <= innerWidth) return [];
          const right = (node) => Math.round(node.getBoundingClientRect().right);
          const out = [...document.querySelectorAll('body *')].filter((node) => right(node) > innerWidth + 1);
          return out.slice(0, 8).map((node) => `${node.tagName}.${node.className} ${right(node)}`);
        }"""
    )
    assert not wide, wide
