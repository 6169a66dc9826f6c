"""
``python -m services.notify``: the worker. ``… api``: the HTTP side. ``… whatsapp-templates``: what Meta has to approve.
"""

import json
import sys
from collections.abc import Mapping

from services.common.contracts.vocabulary import NotifyVia
from services.common.kit import logs
from services.common.kit.http import serve
from services.common.kit.worker import run_worker
from services.notify.api import create_app
from services.notify.channels.base import Sender
from services.notify.channels.file import FileSender
from services.notify.channels.smtp import SmtpSender, SmtpSettings
from services.notify.expected import BrokenTemplates
from services.notify.handler import worker_spec
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
    Check settings, templates and staff, then run until SIGTERM. Exits 2 on a wrong command line or a broken file.
    """
    settings = NotifySettings()
    match sys.argv[1:]:
        case []:
            logs.configure(settings.logs, "notify")
            try:
                templates, staff = load_templates(), load_staff(settings.staff_file)
            except (BrokenTemplates, BrokenStaff) as error:
                print(f"notify does not start: {error}", file=sys.stderr)
                sys.exit(2)
            spec = worker_spec(settings, templates, staff, lambda: senders(settings))
            run_worker(spec, settings.kafka, settings.logs, settings.worker)
        case ["whatsapp-templates"]:
            try:
                bodies = load_templates().meta.bodies(settings.house)
            except BrokenTemplates as error:
                sys.exit(f"the templates are not as they must be: {error}")
            print(json.dumps(bodies, ensure_ascii=False, indent=2))
        case ["api"]:
            logs.configure(settings.logs, "notify-api")
            serve(create_app(settings), settings.api_host, settings.api_port, settings.logs)
        case _:
            print("usage: python -m services.notify [api | whatsapp-templates]", file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main()
