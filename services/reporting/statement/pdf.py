"""
A statement on one sheet of A4, set by typst in this process.

Fonts are those of the page and those that typst brings: the same everywhere. Equal statements give equal bytes.
"""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final, Literal

import typst

from services.reporting.statement.shown import Shown

HERE: Final = Path(__file__).parent
FONTS: Final = HERE.parent / "pages" / "static" / "fonts"
_one_at_a_time: Final = Lock()  # it takes a core for a while


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(
        HERE / "sheet.typ", root=HERE, font_paths=typst.Fonts(font_paths=[FONTS], include_system_fonts=False)
    )


def pdf_of(statement: Shown) -> bytes:
    """
    The sheet as PDF. It takes some hundred milliseconds: call it in a thread.
    """
    return drawn(statement, "pdf")


def drawn(statement: Shown, form: Literal["pdf", "png"], ppi: float = 144.0) -> bytes:
    """
    The sheet as PDF or as a picture of so many dots an inch.
    """
    inputs = {"statement": json.dumps(asdict(statement), ensure_ascii=False)}
    with _one_at_a_time:
        made = _compiler().compile(format=form, ppi=ppi, sys_inputs=inputs, timestamp=0, pdf_standards=["a-2a", "ua-1"])
    if not isinstance(made, bytes):
        raise TypeError("a statement must fit on one sheet")
    return made
