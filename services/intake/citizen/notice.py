"""
The privacy notice (KVKK, law 6698 article 10) in all its versions, as text files beside this one. Pure but for reading
them once.

A file is paragraphs parted by blank lines; one that begins with ``# `` or ``## `` is a heading.
"""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).with_name("notice")
CURRENT: Final = "v1"
"""The version that is shown now, and noted with each request. A changed text is a new version."""


class Block(NamedTuple):
    """
    A heading (``level`` 1 or 2) or a paragraph (0).
    """

    level: int
    text: str


def versions() -> tuple[str, ...]:
    """
    All versions, the newest first.
    """
    found = {path.name.partition(".")[0] for path in FOLDER.glob("v*.tr.md")}
    return tuple(sorted(found, key=lambda name: int(name[1:]), reverse=True))


@cache
def notice(version: str, language: str) -> tuple[Block, ...]:
    """
    One version. Raises ``KeyError`` if there is none of this name.
    """
    if version not in versions():
        raise KeyError(version)
    text = (FOLDER / f"{version}.{language}.md").read_text(encoding="utf-8")
    return tuple(map(_block, filter(None, (part.strip() for part in text.split("\n\n")))))


def _block(part: str) -> Block:
    marks, _, rest = part.partition(" ")
    level = len(marks) if marks in ("#", "##") else 0
    return Block(level, " ".join((rest if level else part).split()))
