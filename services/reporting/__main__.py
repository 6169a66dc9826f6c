"""
``python -m services.reporting projector | api | rebuild | users … | import …``
"""

import asyncio
import sys

from services.common.kit.http import serve
from services.common.kit.logs import configure
from services.common.kit.mongo import connect
from services.common.kit.worker import run_worker
from services.reporting import users_cli
from services.reporting.api import create_app
from services.reporting.history import import_cli
from services.reporting.projector import worker
from services.reporting.repository import Repository
from services.reporting.settings import ApiSettings, ProjectorSettings


def projector() -> None:
    """
    Consume until SIGTERM.
    """
    settings = ProjectorSettings()
    configure(settings.logs, "projector")
    run_worker(worker(settings), settings.kafka, settings.logs, settings.worker)


def api() -> None:
    """
    Serve until SIGTERM.
    """
    settings = ApiSettings()
    configure(settings.logs, "reporting-api")
    serve(create_app(settings), settings.host, settings.api_port, settings.logs)


async def rebuild() -> None:
    """
    Make all request documents again from the archive, showing how far it is.
    """
    settings = ProjectorSettings()
    client = connect(settings.mongo)
    try:
        repository = Repository(client, settings.database)
        total = await repository.archived_count()
        async for done in repository.rebuild():
            print(f"\r{done:,} of {total:,} events", end="", flush=True)
        print()
    finally:
        client.close()


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
            asyncio.run(rebuild())
        case ["users", *words]:
            return users_cli.main(words)
        case ["import", *words]:
            return import_cli.main(words)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
