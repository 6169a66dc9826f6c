"""
``python -m services.notify``: the worker. ``… api``: the HTTP side. ``… plan``: what would be told.
``… whatsapp-templates``: what Meta has to approve.
"""

import json
import sys
from collections.abc import Sequence

from services.common.kit import logs
from services.notify.expected import BrokenTemplates
from services.notify.partners import BrokenPartners
from services.notify.settings import NotifySettings
from services.notify.staff import BrokenStaff, load_staff
from services.notify.templates import load_templates


def main() -> None:
    """
    Check settings and files, then do what is asked. Exits 2 on a wrong command line or a broken file.
    """
    settings = NotifySettings.read()
    try:
        sys.exit(_run(sys.argv[1:], settings))
    except (BrokenTemplates, BrokenStaff, BrokenPartners) as error:
        print(f"notify does not start: {error}", file=sys.stderr)
        sys.exit(2)


def _run(arguments: Sequence[str], settings: NotifySettings) -> int:
    match arguments:
        case []:
            _tell(settings)
        case ["api"]:
            _serve(settings)
        case ["whatsapp-templates"]:
            print(json.dumps(load_templates().meta.bodies(settings.house), ensure_ascii=False, indent=2))
        case ["plan", *rest]:
            from services.notify import plan_cli
            from services.notify.plan_answer import Basis

            basis = Basis(settings.rules, load_staff(settings.staff_file), load_templates(), settings.house)
            return plan_cli.run(rest, basis)
        case _:
            print("usage: python -m services.notify [api | plan | whatsapp-templates]", file=sys.stderr)
            return 2
    return 0


def _tell(settings: NotifySettings) -> None:
    from services.common.kit.worker import run_worker  # Faust and the providers: the HTTP side has no use for them
    from services.notify.channels.factory import senders
    from services.notify.worker import worker_spec

    logs.configure(settings.logs, "notify")
    templates, staff = load_templates(), load_staff(settings.staff_file)
    spec = worker_spec(settings, templates, staff, settings.channels.partners(), senders)
    run_worker(spec, settings.kafka, settings.logs, settings.worker)


def _serve(settings: NotifySettings) -> None:
    from services.common.kit.http import serve  # FastAPI and the pages: the worker has no use for them
    from services.notify.api import create_app

    logs.configure(settings.logs, "notify-api")
    serve(create_app(settings), settings.api_host, settings.api_port, settings.logs, settings.worker.liveness)


if __name__ == "__main__":
    main()
