"""
``python -m services.intake import FILE --mapping M``: the rows of a file become requests.

What is wrong with a row is told by row and field and stops no other row. Interrupted, or refused in part, an import is
started again with the same file and a key of the same name: what was taken is not taken twice.
"""

import asyncio
import csv
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

import httpx

from services.common.kit.clock import system_clock
from services.intake.imports.importing import Counts, Import, only_checked
from services.intake.imports.mapping import BadMapping, Fault, Mapping, load
from services.intake.imports.rows import Row, Unreadable, rows
from services.intake.imports.sending import Sender, Stopped
from services.intake.settings import ImportSettings

COLUMNS: Final = ("row", "external_id", "field", "column", "message")
_SHOWN: Final = 20
_EVERY: Final = 100
_ANSWERS_WITHIN: Final = 30.0


class Report:
    """
    The refused rows as Turkish Excel opens it with a double click: UTF-8 with a byte order mark, semicolons, CRLF. A
    cell that Excel would take for a formula begins with an apostrophe. Without a file the first rows go to ``said``.
    """

    def __init__(self, mapping: Mapping, file: TextIO | None, said: TextIO) -> None:
        self._mapping = mapping
        self._writer: Any = csv.writer(file, delimiter=";", lineterminator="\r\n") if file else None
        self._said = said
        self._rows = 0
        if self._writer:
            self._writer.writerow(COLUMNS)

    def tell(self, row: Row, external_id: str, faults: Sequence[Fault]) -> None:
        """
        A row was refused.
        """
        self._rows += 1
        for fault in faults:
            if self._writer:
                columns = " + ".join(self._mapping.columns_of(fault.field))
                self._writer.writerow([row.number, *map(_cell, (external_id, fault.field, columns, fault.message))])
            elif self._rows <= _SHOWN:
                print(": ".join(filter(None, (f"row {row.number}", external_id, *fault))), file=self._said)
        if not self._writer and self._rows == _SHOWN:
            print("and so on: --report FILE has them all", file=self._said)


class Progress:
    """
    How far it is: a line that counts on a terminal, else a line for every hundred rows. ``done`` is what becomes of a
    row that is not refused.
    """

    def __init__(self, out: TextIO, done: str) -> None:
        self._out = out
        self._done = done
        self._counting = out.isatty()

    def step(self, counts: Counts) -> None:
        """
        One more row is done.
        """
        if self._counting:
            print(f"\r{_said(counts, self._done)}", end="", file=self._out, flush=True)
        elif counts.rows % _EVERY == 0:
            print(_said(counts, self._done), file=self._out, flush=True)

    def over(self) -> None:
        """
        No more rows come.
        """
        if self._counting:
            print(file=self._out)


class Unfit(Exception):
    """
    Something on the command line does not serve; the message says what would.
    """


def run(args: Namespace) -> int:
    """
    Import a file as the command line says. Returns 0: every row is taken (or good, if it is only checked); 1: not every
    row; 2: none, for the file, the mapping, the key or intake's address does not serve.
    """
    settings = ImportSettings.read()
    file, why = Path(args.file), None
    with ExitStack() as files:
        try:
            mapping = load(args.mapping)
            key = None if args.dry_run else _key(args.key_file, settings)
            report = files.enter_context(_report(Path(args.report), file)) if args.report else None
        except (BadMapping, Unfit, OSError) as error:
            print(error, file=sys.stderr)
            return 2
        done = "good" if args.dry_run else "taken"
        progress = Progress(sys.stderr, done)
        work = Import(mapping, system_clock, Report(mapping, report, sys.stderr).tell, progress.step)
        try:
            asyncio.run(_import(work, rows(file, mapping.columns), key, settings.url, args.at_once))
        except (Unreadable, Stopped) as error:
            why = str(error)
        except KeyboardInterrupt:
            why = "interrupted"
        progress.over()
    counts = work.counts
    print(f"{file.name}: {_said(counts, done)}")
    if why:
        print(f"{file.name}: {why}", file=sys.stderr)
        return 1 if counts.taken else 2
    return 1 if counts.refused else 0


async def _import(work: Import, found: Iterable[Row], key: str | None, url: str, at_once: int) -> None:
    if key is None:
        await work.run(found, only_checked, at_once=1)
        return
    async with httpx.AsyncClient(base_url=url, headers={"X-API-Key": key}, timeout=_ANSWERS_WITHIN) as http:
        await work.run(found, Sender(http).send, at_once)


def _report(path: Path, file: Path) -> TextIO:
    if path.resolve() == file.resolve():
        raise Unfit("--report must be another file than the one that is imported")
    return path.open("w", encoding="utf-8-sig", newline="")


def _key(file: str | None, settings: ImportSettings) -> str:
    key = Path(file).read_text(encoding="utf-8").strip() if file else ""
    if not file and settings.api_key is not None:
        key = settings.api_key.get_secret_value()
    if not (key and key.isascii() and key.isprintable()):
        raise Unfit("an API key is needed: in the file --key-file, or in INTAKE_API_KEY")
    return key


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _said(counts: Counts, done: str) -> str:
    return f"{counts.rows} rows, {counts.taken} {done}, {counts.refused} refused"
