"""
``python -m services.routing``: the worker; ``… rules test|explain`` and ``… reroute`` for who edits the rules;
``… classify``, ``… explain``, ``… train`` and ``… corrections`` for the classifier. Each loads only what it needs.
"""

import sys
from dataclasses import replace

from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import BrokenCalendar, load_calendar
from services.common.kit import logs
from services.routing import classify, explain, rules_cli
from services.routing.case import Rules
from services.routing.classifier import BrokenModel, load_model
from services.routing.opinions import read_classifier
from services.routing.policy import BrokenPolicy, load_policy
from services.routing.rules_file import load_rules
from services.routing.rules_form import BrokenRules
from services.routing.settings import RoutingSettings

USAGE = """usage: python -m services.routing                 the worker, until SIGTERM
       python -m services.routing rules test       run the cases of the rules file
       python -m services.routing rules explain …  what the rules say of a text, and why
       python -m services.routing reroute …        apply edited rules to requests that nobody has taken up yet
       python -m services.routing classify         JSON lines {id, text, channel?} in, a decision a line out
       python -m services.routing explain <text>   where a text goes, and why
       python -m services.routing train …          make the model anew from the messages in training/
       python -m services.routing corrections …    export what people corrected as training messages
"""


BROKEN = (BrokenRules, BrokenPolicy, BrokenCalendar, BrokenModel, ValueError)


def rules_of(settings: RoutingSettings) -> Rules:
    """
    Everything that deciding depends on but the model, read and checked. Raises one of the ``Broken…`` errors or
    ``ValueError``.
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
    if arguments[:1] in (["classify"], ["explain"]):
        return _ask(arguments[0], arguments[1:], RoutingSettings.read())
    if arguments[:1] == ["train"]:
        return _train(arguments[1:])
    if arguments[:1] == ["corrections"]:
        from services.routing import corrections

        return corrections.run(arguments[1:], RoutingSettings.read())
    if arguments and arguments[0] != "reroute":
        sys.stderr.write(USAGE)
        return 2
    settings = RoutingSettings.read()
    logs.configure(settings.logs, "routing")
    try:
        rules = replace(rules_of(settings), model=read_classifier(settings.model_file))
        shadow = read_classifier(settings.shadow_model_file)
    except BROKEN as error:
        sys.stderr.write(f"routing does not start: {error}\n")
        return 1
    if arguments:
        from services.routing import reroute

        return reroute.run(arguments[1:], settings, rules)
    from services.common.kit.worker import run_worker
    from services.routing.handler import worker_spec

    run_worker(worker_spec(settings, rules, shadow), settings.kafka, settings.logs, settings.worker)
    return 0


def _ask(command: str, arguments: list[str], settings: RoutingSettings) -> int:
    """
    ``classify`` or ``explain``: from files alone, without Kafka and MongoDB. Exits 2 if one of them cannot be used.
    """
    if command == "classify" and arguments:
        sys.stderr.write(USAGE)
        return 2
    try:
        rules, model = rules_of(settings), load_model(settings.model_file)
    except BROKEN as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if command == "explain":
        return explain.run(arguments, rules, model)
    return classify.run(sys.stdin.buffer, sys.stdout.buffer, rules, model)


def _train(arguments: list[str]) -> int:
    try:
        from services.routing import train
    except ImportError:
        sys.stderr.write("training needs a checkout with the extra `train` installed: `make train` sees to it\n")
        return 2
    return train.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
