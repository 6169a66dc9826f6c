"""
Write ``figures.md``, what each figure means, from the definitions: ``python -m deploy.figures``.
"""

from typing import Final

from deploy.stack.config import ROOT
from services.reporting.figures.definitions import Chapter, chapters

DOCUMENT: Final = ROOT / "deploy" / "figures.md"
_INTRODUCTION: Final = """\
<!-- Written by `python -m deploy.figures`. Edit definitions.yaml of services/reporting/figures instead. -->
# Rakamların tanımları / What the figures mean

Panonun, raporların ve aylık bültenin her rakamı burada bir kez tanımlıdır. Aynı tanımlar raporlama servisinin
`/tanimlar` sayfasında ve OpenAPI belgesindedir.

Every figure of the dashboard, the reports and the monthly statement is defined here, once. The same definitions stand
on the page `/definitions` of reporting and in its OpenAPI document. A share is from 0 to 1; a share or a median of
nothing is null, never 0.
"""


def document() -> str:
    """
    The whole document.
    """
    return "\n".join((_INTRODUCTION, *map(_chapter, chapters())))


def _chapter(chapter: Chapter) -> str:
    rows = "\n".join(
        f"| `{figure.id}` | **{figure.tr.name}**: {figure.tr.text} | **{figure.en.name}**: {figure.en.text} |"
        for figure in chapter.figures
    )
    return f"## {chapter.title.tr} / {chapter.title.en}\n\n| | Türkçe | English |\n|---|---|---|\n{rows}\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(DOCUMENT.name)
