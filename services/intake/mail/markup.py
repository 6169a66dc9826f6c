"""
The words of a mail that is HTML alone. Pure, and in time that grows with the mail's length, whatever it holds.
"""

import re
from html.parser import HTMLParser
from typing import Final

_CONDITION: Final = re.compile(r"<!\[[^<>]{0,200}>")
_UNCLOSED: Final = re.compile(r"<(?![^<>]{0,4000}>)")
_SILENT: Final = frozenset({"script", "style", "head", "title", "template"})
_LINES: Final = frozenset(
    {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "footer", "form", "h1", "h2", "h3",
     "h4", "h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul"}
)  # fmt: skip
_APART: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p", "ol", "pre", "table", "ul"})


def words_of_html(html: str) -> str:
    """
    Its text in lines: quotations behind ``>``, links behind what they are called, no scripts, no hidden comments.
    """
    reader = _Reader()
    reader.feed(_closed(html))
    reader.close()
    return reader.words()


def _closed(html: str) -> str:
    """
    Without comments and Outlook's conditions, and with each ``<`` that opens no tag as a letter: over those the parser
    takes minutes.
    """
    first, *others = html.split("<!--")
    shown = first + "".join(part.partition("-->")[2] for part in others)
    plain = _CONDITION.sub("", shown).replace("<![", "")
    return _UNCLOSED.sub("&lt;", plain)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quoted = 0
        self._silent: str | None = None
        self._link: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._silent is not None:
            return
        if tag in _SILENT:
            self._silent = tag
        elif tag == "a":
            self._link = (next((value for name, value in attrs if name == "href" and value), ""), [])
        elif tag in ("td", "th"):
            self._line.append(" ")
        elif tag in _LINES:
            self._end_line(apart=tag in _APART, empty=tag == "br")
            self._quoted += tag == "blockquote"
            if tag == "li":
                self._line.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if self._silent is not None:
            self._silent = None if tag == self._silent else self._silent
        elif tag == "a":
            self._end_link()
        elif tag in _LINES and tag != "br":
            self._end_line(apart=tag in _APART)
            self._quoted = max(0, self._quoted - (tag == "blockquote"))

    def handle_data(self, data: str) -> None:
        if self._silent is None:
            self._line.append(data)
            if self._link is not None:
                self._link[1].append(data)

    def words(self) -> str:
        self._end_line()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip()

    def _end_link(self) -> None:
        if self._link is None:
            return
        target, shown = self._link[0].strip(), "".join(self._link[1]).strip()
        self._link = None
        if target.startswith(("http://", "https://")) and target.rstrip("/") not in shown:
            self._line.append(f" ({target})")

    def _end_line(self, *, apart: bool = False, empty: bool = False) -> None:
        line = " ".join("".join(self._line).split())
        self._line = []
        if line or empty:
            self._lines.append("> " * bool(self._quoted) + line)
        if apart and self._lines and self._lines[-1]:
            self._lines.append("")
