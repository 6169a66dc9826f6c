"""
``python -m services.routing``: the worker.
"""

import sys

from services.common.contracts.catalogue import catalogue
from services.common.kit import logs
from services.common.kit.worker import run_worker
from services.routing.handler import worker_spec
from services.routing.rules import BrokenRules, load_rules
from services.routing.settings import RoutingSettings


def main() -> None:
    """
    Check the rules, then run until SIGTERM. Exits 2 if the rules or the catalogue are broken.
    """
    if sys.argv[1:]:
        sys.stderr.write("usage: python -m services.routing (the worker; there are no other commands yet)\n")
        sys.exit(2)
    settings = RoutingSettings()
    logs.configure(settings.logs, "routing")
    try:
        book = load_rules(settings.rules_file, catalogue())
    except (BrokenRules, ValueError) as error:
        sys.exit(f"routing does not start: {error}")
    run_worker(worker_spec(settings, book), settings.kafka, settings.logs, settings.worker)


if __name__ == "__main__":
    main()
