"""
``python -m services.reporting projector | api | rebuild | users … | import … | generate …``

Each loads only what it is made of: the projector no page, the API no Faust, so that both are up soon. A command that
ends because the database does not answer exits with 75 (``EX_TEMPFAIL``); takings over and sheets wait a minute for it.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from services.common.contracts.clocks import BrokenCalendar, Calendar, load_calendar
from services.common.kit.logs import configure
from services.reporting.settings import ApiSettings, ProjectorSettings


def projector() -> None:
    """
    Consume until SIGTERM.
    """
    from services.common.kit.worker import run_worker
    from services.reporting.projector import worker

    settings = ProjectorSettings.read()
    calendar = _calendar(settings.calendar_file)
    configure(settings.logs, "projector")
    run_worker(worker(settings, calendar), settings.kafka, settings.logs, settings.worker)


def api() -> None:
    """
    Serve until SIGTERM.
    """
    from services.common.kit.http import serve
    from services.reporting.api import create_app

    settings = ApiSettings.read()
    configure(settings.logs, "reporting-api")
    serve(create_app(settings), settings.host, settings.api_port, settings.logs, settings.liveness)


async def rebuild() -> int:
    """
    Make all request documents again from the archive and then all sheets, showing how far it is. Exits 2 if the
    projector's sheets are made by another version or another calendar: days that do not change would keep these.
    """
    from services.common.kit.mongo import connect
    from services.reporting.figures.making import make_all
    from services.reporting.figures.sheets import form_of
    from services.reporting.figures.sheets_repository import Sheets
    from services.reporting.rebuild_repository import Overtaken, Rebuild
    from services.reporting.repository import Repository

    settings = ProjectorSettings.read()
    calendar = _calendar(settings.calendar_file)
    client = connect(settings.mongo)
    try:
        sheets = Sheets(client, settings.database, form=form_of(settings.calendar_file.read_bytes()))
        if await sheets.are_of_another_form():
            print("the projector has another calendar (REPORTING_CALENDAR_FILE) or version than this", file=sys.stderr)
            return 2
        total = await Repository(client, settings.database).archived_count()
        async for done in Rebuild(client, settings.database).run():
            print(f"\r{done:,} of {total:,} events", end="", flush=True)
        print()
        print(f"{await sheets.mark_all():,} sheets", flush=True)
        await make_all(sheets, calendar)
    except Overtaken as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        client.close()
    return 0


def _calendar(path: Path) -> Calendar:
    try:
        return load_calendar(path)
    except BrokenCalendar as error:
        print(f"reporting does not start: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def main(arguments: list[str]) -> int:
    """
    Run the process that the first argument names.
    """
    match arguments:
        case ["projector"]:
            projector()
        case ["api"]:
            api()
        case ["rebuild"]:
            return command(lambda: asyncio.run(rebuild()))
        case ["users", *words]:
            from services.reporting import users_cli

            look = "`users list` shows whether it was done; `users reset` prints a new first password"
            return command(lambda: users_cli.main(words), look)
        case ["import", *words]:
            from services.reporting.history import import_cli

            return command(lambda: import_cli.main(words))
        case ["generate", *words]:
            from services.reporting.history import generate_cli

            return command(lambda: generate_cli.main(words))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def command(run: Callable[[], int], then: str = "what is written is kept: run it again") -> int:
    """
    Run a command whose result is on standard output; ``then`` says what to do if the database does not answer.
    """
    from services.common.kit.logs import to_standard_error
    from services.common.kit.retry import RETRY

    to_standard_error()
    try:
        return run()
    except RETRY as error:
        print(f"\nerror: MongoDB (MONGODB_URI) does not answer: {type(error).__name__}; {then}", file=sys.stderr)
        return os.EX_TEMPFAIL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
