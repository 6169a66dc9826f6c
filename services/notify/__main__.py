"""
``python -m services.notify``: the worker. ``… api``: the HTTP side. ``… plan``: what would be told.
``… whatsapp-templates``: what Meta has to approve.
"""

import json
import sys
from collections.abc import Mapping, Sequence

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit import logs
from services.common.kit.http import serve
from services.common.kit.worker import run_worker
from services.notify import plan_cli
from services.notify.api import create_app
from services.notify.channels.base import Sender
from services.notify.channels.file import FileSender
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.expected import BrokenTemplates
from services.notify.handler import worker_spec
from services.notify.plan_answer import Basis
from services.notify.settings import NotifySettings
from services.notify.staff import BrokenStaff, load_staff
from services.notify.templates import load_templates


def senders(settings: NotifySettings) -> Mapping[NotifyVia, Sender]:
    """
    The senders by channel: mail over SMTP if there is a server, all else into files.
    """
    files = (NotifyVia.EMAIL, NotifyVia.SMS, NotifyVia.WHATSAPP)
    found: dict[NotifyVia, Sender] = {channel: FileSender(settings.outbox_dir, channel) for channel in files}
    if not settings.smtp_host:
        return found
    password = settings.smtp_password
    mail = SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        from_address=settings.mail_from,
        from_name=settings.municipality_tr,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
        connections=settings.smtp_connections,
    )
    return {**found, NotifyVia.EMAIL: SmtpSender(mail)}


def main() -> None:
    """
    Check settings, templates and staff, then do what is asked. Exits 2 on a wrong command line or a broken file.
    """
    settings = NotifySettings()
    try:
        sys.exit(_run(sys.argv[1:], settings))
    except (BrokenTemplates, BrokenStaff) as error:
        print(f"notify does not start: {error}", file=sys.stderr)
        sys.exit(2)


def _run(arguments: Sequence[str], settings: NotifySettings) -> int:
    match arguments:
        case []:
            logs.configure(settings.logs, "notify")
            templates, staff = load_templates(), load_staff(settings.staff_file)
            spec = worker_spec(settings, templates, staff, lambda: senders(settings))
            run_worker(spec, settings.kafka, settings.logs, settings.worker)
        case ["api"]:
            logs.configure(settings.logs, "notify-api")
            serve(create_app(settings), settings.api_host, settings.api_port, settings.logs)
        case ["whatsapp-templates"]:
            print(json.dumps(load_templates().meta.bodies(settings.house), ensure_ascii=False, indent=2))
        case ["plan", *rest]:
            basis = Basis(settings.rules, load_staff(settings.staff_file), load_templates(), settings.house)
            return plan_cli.run(rest, basis)
        case _:
            print("usage: python -m services.notify [api | plan | whatsapp-templates]", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    main()
