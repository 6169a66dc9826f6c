"""
``python -m deploy.department tail|accept|schedule|resolve|… <slug> …``: a department at its topics.
"""

import argparse
import logging
import os
import secrets
import sys
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console

from deploy.department import show, talk
from deploy.terminal import ToolError, bootstrap_servers
from services.common.contracts.actions import ANY_ACTION_MAY, SHAPES
from services.common.contracts.catalogue import catalogue
from services.common.contracts.events import Lifecycle, Referral, UpdateSubmitted
from services.common.contracts.ids import IllFormedId, grouped, parse_any_id, parse_request_id
from services.common.contracts.vocabulary import ANSWERS, Action, Outcome, Priority, Status

INTERRUPTED = 130


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "--note-public": {"help": "what the citizen reads", "metavar": "TEXT"},
    "--note-internal": {"help": "what colleagues read", "metavar": "TEXT"},
    "--to": {"help": "the department that takes over, or is responsible", "metavar": "SLUG"},
    "--service": {"help": "the service that it is, if another", "metavar": "CODE"},
    "--on": {"help": "when somebody comes: 2026-06-03T09:00, in Istanbul if no zone is given", "metavar": "TIME"},
    "--question": {"help": "what the citizen is asked", "metavar": "TEXT"},
    "--body": {"help": "the other body, such as SASKİ", "metavar": "NAME"},
    "--written-on": {"help": "the day on which it was written to: 2026-06-03", "metavar": "DAY"},
    "--reference": {"help": "the number under which it has the matter", "metavar": "NUMBER"},
    "--part": {
        "help": "<department>:<service>:<note>, of which a department or a service is enough; 2 to 10 times",
        "metavar": "PART",
        "action": "append",
    },
    "--outcome": {"default": Outcome.RESOLVED, "choices": sorted(ANSWERS), "help": "how it ended (resolved)"},
    "--master": {"help": "the number of the request that it is a duplicate of", "metavar": "NUMBER"},
    "--photo": {"help": "the id of a photo that intake keeps", "metavar": "ID", "action": "append"},
    "--seen": {"help": "the last seq that you saw: refused if more has happened", "metavar": "SEQ", "type": int},
}
_OPTIONS_OF: Final = {
    "note_public": ("--note-public",),
    "note_internal": ("--note-internal",),
    "outcome": ("--outcome",),
    "to": ("--to",),
    "service_code": ("--service",),
    "planned_for": ("--on",),
    "question": ("--question",),
    "referred_to": ("--body", "--written-on", "--reference"),
    "parts": ("--part",),
    "master": ("--master",),
    "photos": ("--photo",),
    "expected_seq": ("--seen",),
}
"""The options for a field of an update; the first gives it, the others tell more."""
_HELP: Final = {
    Action.ACCEPT: "take on what came in",
    Action.REJECT: "give back what is not yours; say why",
    Action.TRANSFER: "hand over to another department",
    Action.START: "say that work has begun",
    Action.SCHEDULE: "say when somebody comes",
    Action.ASK: "ask the citizen and wait for the answer",
    Action.WAIT: "wait for another body",
    Action.EXTEND: "take the law's longer term for an application under 4982; say why",
    Action.SPLIT: "split into parts for several departments",
    Action.RESOLVE: "close with an outcome and a text for the citizen",
    Action.REFER: "close: another body is responsible and has been written to",
    Action.DUPLICATE: "close: it is the same as another request, and hears with it",
    Action.CANCEL: "close: the citizen does not want it any more",
    Action.REOPEN: "open a closed request again; say why",
    Action.NOTE: "write something down for colleagues",
}


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


def update_of(arguments: argparse.Namespace, now: datetime) -> UpdateSubmitted:
    """
    The update that the command line asks for. Raises ``ToolError`` saying what is not as it should be.
    """
    services = catalogue().services
    try:
        return UpdateSubmitted(
            request_id=parse_any_id(arguments.number),
            update_id=arguments.update_id or secrets.token_hex(16),
            action=arguments.command,
            submitted_at=now,
            note_public=arguments.note_public,
            note_internal=arguments.note_internal,
            outcome=arguments.outcome,
            to=talk.department(arguments.to) if arguments.to else None,
            service_code=talk.known("service", arguments.service, services) if arguments.service else None,
            planned_for=talk.moment(arguments.on) if arguments.on else None,
            question=arguments.question,
            referred_to=Referral(body=arguments.body, on=arguments.written_on, reference=arguments.reference)
            if arguments.body
            else None,
            parts=talk.parts(arguments.part) if arguments.part else (),
            master=parse_request_id(arguments.master) if arguments.master else None,
            photos=tuple(arguments.photo or ()),
            expected_seq=arguments.seen,
        )
    except (IllFormedId, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        raise ToolError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)) from None


def answer(arguments: argparse.Namespace) -> int:
    """
    Write an update and say what became of it: 0 applied, 1 refused or not answered in time.
    """
    slug, update = arguments.department, update_of(arguments, datetime.now(UTC))
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
    for action, shape in SHAPES.items():
        needed = {_OPTIONS_OF[names[0]][0] for names in shape.needs} - {"--outcome"}  # which has a default
        offered = [
            option
            for name, options in _OPTIONS_OF.items()
            for option in options
            if name in shape.takes | ANY_ACTION_MAY
        ]
        one = commands.add_parser(action, help=_HELP[action])
        one.set_defaults(**dict.fromkeys(name.removeprefix("--").replace("-", "_") for name in _OPTIONS))
        one.add_argument("department", help="slug of the department that acts")
        one.add_argument("number", help="the number of the request or of a part of one (….1), grouped or not")
        for option in offered:
            one.add_argument(option, required=option in needed, **_OPTIONS[option])
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
