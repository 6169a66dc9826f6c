"""
``python -m services.reporting projector | api | rebuild``
"""

import asyncio
import sys

import uvicorn

from services.common.kit.logs import configure, logging_config
from services.common.kit.mongo import connect
from services.common.kit.worker import run_worker
from services.reporting.api import create_app
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
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.api_port,
        log_config=logging_config(settings.logs),
        access_log=False,
        loop="uvloop",
        http="httptools",
        server_header=False,
        timeout_graceful_shutdown=20,
    )


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
    Run the process that the one argument names.
    """
    match arguments:
        case ["projector"]:
            projector()
        case ["api"]:
            api()
        case ["rebuild"]:
            asyncio.run(rebuild())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
