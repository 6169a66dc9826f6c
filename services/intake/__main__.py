"""
``python -m services.intake`` serves HTTP; ``worker`` keeps the read model; ``keys add|list|revoke`` manages API keys;
``crises list|declare|end`` switches crises on and off; ``asterisk`` tells the webhook of an Asterisk's calls;
``mail`` takes mails; ``import`` takes a file of requests.
"""

import sys

from services.common.kit import logs
from services.intake.settings import AsteriskSettings, IntakeSettings, MailSettings


def _serve() -> None:
    from services.common.kit.http import serve
    from services.common.ui.links import Links
    from services.intake.api import create_app
    from services.intake.wiring import parts_of

    settings = IntakeSettings.read()
    logs.configure(settings.logs, "intake")
    links = Links(
        intake=settings.public_url.rstrip("/"),
        reporting=settings.reporting_public_url.rstrip("/"),
        notify=settings.notify_public_url and settings.notify_public_url.rstrip("/"),
    )
    serve(create_app(parts_of(settings), links), settings.host, settings.port, settings.logs, settings.worker.liveness)


def _work() -> None:
    from services.common.kit.worker import run_worker  # Faust is loaded by the process that needs it
    from services.intake.worker import worker

    settings = IntakeSettings.read()
    logs.configure(settings.logs, "intake-worker")
    sys.argv = sys.argv[:1]  # Faust reads the command line too
    run_worker(worker(settings), settings.kafka, settings.logs, settings.worker)


def _follow_asterisk() -> None:
    from services.intake.calls.asterisk import Plan
    from services.intake.calls.bridge import AsteriskBridge, run_bridge

    settings = AsteriskSettings.read()
    logs.configure(settings.logs, "intake-asterisk")

    def bridge() -> AsteriskBridge:
        return AsteriskBridge(
            url=settings.url,
            user=settings.user,
            password=settings.password.get_secret_value(),
            plan=Plan(settings.app, settings.announcement, settings.queue),
            webhook=settings.webhook.get_secret_value(),
        )

    if not run_bridge(bridge):
        sys.exit(f"another process follows the application {settings.app}: only one may")


def _take_mails() -> None:
    from services.intake.mail.wiring import run_mailroom

    settings, mail = IntakeSettings.read(), MailSettings.read()
    logs.configure(settings.logs, "intake-mail")
    run_mailroom(settings, mail)


def main() -> None:
    """
    Read the command line and do it. Each process loads only what it is made of, so that it is up soon.
    """
    match sys.argv[1:]:
        case []:
            _serve()
        case ["worker"]:
            _work()
        case ["asterisk"]:
            _follow_asterisk()
        case ["mail"]:
            _take_mails()
        case words:
            from services.intake.admin_cli import run

            run(words, __doc__)


if __name__ == "__main__":
    main()
