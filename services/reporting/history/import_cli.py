"""
``python -m services.reporting import FILE --mapping MAPPING``: the requests of another system, taken over.

    FILE                CSV, also gzipped
    --mapping MAPPING   which column is what (services/reporting/history/mapping.py tells how, examples/ has one)
    --database NAME     instead of REPORTING_DATABASE: a second city has a database of its own
    --refused CSV       where the rows that cannot be read are listed; beside FILE unless said
    --dry-run           read everything, write nothing but that list

It may be stopped and started again, and twice is as once. It needs no projector, and does not mind one.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from services.common.kit.mongo import connect
from services.reporting.history.importing import RefusalList, Taken, import_file, take_over
from services.reporting.history.mapping import BrokenMapping, CityMapping, load_mapping
from services.reporting.history.reading import UnreadableFile
from services.reporting.settings import ProjectorSettings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.reporting import", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--mapping", type=Path, required=True)
    parser.add_argument("--database")
    parser.add_argument("--refused", type=Path)
    parser.add_argument("--dry-run", action="store_true")
    return parser


async def _run(arguments: argparse.Namespace, mapping: CityMapping, refused: RefusalList) -> Taken:
    if arguments.dry_run:
        return await take_over(arguments.file, mapping, None, refused, progress)
    settings = ProjectorSettings.read()
    settings = settings.model_copy(update={"database": arguments.database or settings.database})
    client = connect(settings.mongo)
    try:
        return await import_file(client, settings, arguments.file, mapping, refused, progress)
    finally:
        client.close()


def progress(text: str) -> None:
    """
    Show how far it is, in one line of the terminal.
    """
    print(f"\r{text:<79}", end="", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    """
    Run the command; 1 if rows were refused, 2 if nothing could be read, with the reason on standard error.
    """
    arguments = _parser().parse_args(words)
    refused = RefusalList(arguments.refused or arguments.file.with_name(f"{arguments.file.name}.refused.csv"))
    try:
        taken = asyncio.run(_run(arguments, load_mapping(arguments.mapping), refused))
    except (BrokenMapping, UnreadableFile, OSError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 2
    finally:
        refused.close()
    print(file=sys.stderr)
    print(taken)
    if taken.refused:
        print(f"the refused rows are listed in {refused.path}")
    return 1 if taken.refused else 0
