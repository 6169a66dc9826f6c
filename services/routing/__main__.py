"""
``python -m services.routing``: the worker; ``… rules test|explain`` and ``… reroute`` for who edits the rules.
"""

import sys

from services.common.contracts.catalogue import catalogue
from services.common.kit import logs
from services.common.kit.worker import run_worker
from services.routing import reroute, rules_cli
from services.routing.case import Rules
from services.routing.clocks import BrokenCalendar, load_calendar
from services.routing.handler import worker_spec
from services.routing.policy import BrokenPolicy, load_policy
from services.routing.rules import BrokenRules, load_rules
from services.routing.settings import RoutingSettings

USAGE = """usage: python -m services.routing                 the worker, until SIGTERM
       python -m services.routing rules test       run the cases of the rules file
       python -m services.routing rules explain …  what the rules say of a text, and why
       python -m services.routing reroute …        apply edited rules to requests that nobody has taken up yet
"""


def rules_of(settings: RoutingSettings) -> Rules:
    """
    Everything that deciding depends on, read and checked. Raises one of the ``Broken…`` errors or ``ValueError``.
    """
    return Rules(
        book=load_rules(settings.rules_file, catalogue()),
        calendar=load_calendar(settings.calendar_file),
        policy=load_policy(settings.policy_file),
        parking=settings.parking,
    )


def main(arguments: list[str]) -> int:
    """
    Run what is asked for. Exits 2 for an unknown command, 1 if a file that routing stands on is broken.
    """
    if arguments[:1] == ["rules"]:
        return rules_cli.run(arguments[1:])
    if arguments and arguments[0] != "reroute":
        sys.stderr.write(USAGE)
        return 2
    settings = RoutingSettings()
    logs.configure(settings.logs, "routing")
    try:
        rules = rules_of(settings)
    except (BrokenRules, BrokenPolicy, BrokenCalendar, ValueError) as error:
        sys.stderr.write(f"routing does not start: {error}\n")
        return 1
    if arguments:
        return reroute.run(arguments[1:], settings, rules)
    run_worker(worker_spec(settings, rules), settings.kafka, settings.logs, settings.worker)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
