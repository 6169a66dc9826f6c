"""
``python -m deploy.department tail|accept|reject|transfer|resolve <slug> …``: a department at its topics.
"""

import argparse
import logging
import os
import secrets
import sys
from datetime import UTC, datetime

from pydantic import ValidationError
from rich.console import Console

from deploy.department import show, talk
from deploy.terminal import ToolError, bootstrap_servers
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import Lifecycle, UpdateSubmitted
from services.common.contracts.ids import IllFormedId, grouped, parse_request_id
from services.common.contracts.vocabulary import Action, Outcome, Priority, Status

INTERRUPTED = 130


def tail(arguments: argparse.Namespace) -> int:
    """
    Show a department's events as they come, until Ctrl-C (or, with ``--no-follow``, until the last one).
    """
    wanted = show.Filter(
        statuses=frozenset(map(Status, arguments.status)),
        services=frozenset(talk.known("service", code, catalogue().services) for code in arguments.service),
        priorities=frozenset(map(Priority, arguments.priority)),
        emergency=arguments.emergency,
    )
    out = Console(highlight=False)
    with talk.Inbox(bootstrap_servers(), arguments.department) as inbox:
        if arguments.since == "now":
            inbox.begin_at_the_end()
        else:
            inbox.begin(show.since(arguments.since, datetime.now(UTC)))
        if sys.stderr.isatty():
            name = catalogue().departments[arguments.department].tr
            print(f"{name} – Ctrl-C ends", file=sys.stderr)
        while True:
            for seen in inbox.poll():
                if seen.event is None:
                    print(f"record {seen.offset} is no event of ours: {seen.why_not}", file=sys.stderr)
                elif isinstance(seen.event.data, Lifecycle) and wanted.wants(seen.event.data):
                    if arguments.json:
                        print(show.as_json(seen.event), flush=True)
                    else:
                        width = out.width if sys.stdout.isatty() else None
                        out.print(show.line(arguments.department, seen.event.data, width), soft_wrap=True)
            if arguments.no_follow and inbox.at_the_end():
                return 0


def answer(arguments: argparse.Namespace) -> int:
    """
    Write an update and say what became of it: 0 applied, 1 refused or not answered in time.
    """
    slug = arguments.department
    try:
        update = UpdateSubmitted(
            request_id=parse_request_id(arguments.number),
            update_id=arguments.update_id or secrets.token_hex(16),
            action=arguments.command,
            submitted_at=datetime.now(UTC),
            note_public=arguments.note_public,
            note_internal=arguments.note_internal,
            outcome=arguments.outcome if arguments.command == Action.RESOLVE else None,
            to=talk.department(arguments.to) if arguments.to else None,
            service_code=talk.known("service", arguments.service, catalogue().services) if arguments.service else None,
        )
    except (IllFormedId, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ToolError(why) from None
    servers = bootstrap_servers()
    record = talk.update_record(slug, update)
    if arguments.no_wait:
        talk.publish(servers, record)
        print(f"sent to {record.topic} as update {update.update_id}; the answer comes on requests.dept.{slug}")
        return 0
    with talk.Inbox(servers, slug) as inbox:
        inbox.begin_at_the_end()
        talk.publish(servers, record)
        found = talk.wait_for_answer(inbox, update, arguments.timeout)
    if found is None:
        print(
            f"no answer within {arguments.timeout:g} s. The update {update.update_id} is kept and will be answered on "
            f"requests.dept.{slug}; an update of a request that nobody knows is refused after 15 minutes.",
            file=sys.stderr,
        )
        return 1
    applied, words = talk.verdict(found)
    print(f"{grouped(update.request_id)} {words}", file=sys.stdout if applied else sys.stderr)
    return 0 if applied else 1


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    top = argparse.ArgumentParser(prog="python -m deploy.department", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("tail", help="show the department's events live")
    watching.add_argument("department", help="slug, as in requests.dept.<slug>")
    watching.add_argument("--status", action="append", default=[], choices=[str(one) for one in Status])
    watching.add_argument("--service", action="append", default=[], metavar="CODE")
    watching.add_argument("--priority", action="append", default=[], choices=[str(one) for one in Priority])
    watching.add_argument("--emergency", action="store_true", help="emergencies alone")
    watching.add_argument("--since", default="now", help="beginning, now (default), or how long ago: 15m, 2h, 3d")
    watching.add_argument("--json", action="store_true", help="one JSON object a line, for pipes")
    watching.add_argument("--no-follow", action="store_true", help="end at the last event")
    for action in Action:
        one = commands.add_parser(action, help=f"{action} a request that the department holds")
        one.add_argument("department", help="slug of the department that acts")
        one.add_argument("number", help="the request's number, grouped or not")
        one.add_argument("--note-public", required=action is Action.RESOLVE, help="what the citizen reads")
        one.add_argument("--note-internal", required=action is Action.REJECT, help="what colleagues read")
        one.add_argument("--to", required=action is Action.TRANSFER, help="the department that takes over")
        one.add_argument("--service", metavar="CODE", help="the service that it is, if another")
        one.add_argument("--outcome", default=Outcome.RESOLVED, choices=[str(o) for o in Outcome])
        one.add_argument("--update-id", help="your own id: repeating it has no second effect")
        one.add_argument("--no-wait", action="store_true", help="do not wait for the answer")
        one.add_argument("--timeout", type=float, default=30.0, help="how long to wait for it, in seconds (30)")
    return top


def main() -> int:
    """
    Entry of ``python -m deploy.department``.
    """
    arguments = parser().parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        talk.department(arguments.department)
        return tail(arguments) if arguments.command == "tail" else answer(arguments)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED if arguments.command != "tail" else 0
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
