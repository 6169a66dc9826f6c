"""
``python -m services.notify plan``: what would be told of an event, and the table of all that is told as a page.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.notify.plan_answer import Basis, Plan, PlannedMessage, answer
from services.notify.plan_document import DOCUMENT, document
from services.notify.plan_question import NotAsked, Question
from services.notify.plan_table import load_table
from services.notify.times import ISTANBUL

EXAMPLE: Final = (
    '{"event": {"type": "RequestAssigned", "status": "assigned", "department": "zabita"}, '
    '"contact": {"phone": "+905321112233"}, "now": "2026-06-01T22:30:00+03:00"}'
)


def run(arguments: Sequence[str], basis: Basis) -> int:
    """
    Print what would be told; with ``--table`` write the page. Gives the exit status: 2 if the question cannot be
    answered, and then says on the error output which fields are wrong.
    """
    args = _parser().parse_args(arguments)
    if args.table is not None:
        args.table.write_text(document(load_table()), encoding="utf-8")
        print(args.table)
        return 0
    try:
        asked = args.event.read_bytes() if args.event else sys.stdin.buffer.read()
        plan = answer(Question.model_validate_json(asked), basis)
    except ValidationError as error:
        for row in error.errors(include_input=False):
            print(f"{'.'.join(map(str, row['loc'])) or 'plan'}: {row['msg']}", file=sys.stderr)
        return 2
    except NotAsked as error:
        print("\n".join(f"{field}: {message}" for field, message in error.errors), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"--event: {error.strerror}", file=sys.stderr)
        return 2
    print(plan.model_dump_json(indent=2, exclude_none=True) if args.json else _in_words(plan))
    return 0


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m services.notify plan",
        description=f"Ne söylenirdi / what would be told. JSON on standard input: {EXAMPLE}",
    )
    found.add_argument("--event", type=Path, help="the JSON in a file")
    found.add_argument("--json", action="store_true", help="programlar için / for programs")
    found.add_argument(
        "--table", type=Path, nargs="?", const=DOCUMENT, help=f"write the table of all that is told: {DOCUMENT.name}"
    )
    return found


def _in_words(plan: Plan) -> str:
    return "\n\n".join(map(_message, plan.messages)) or "Kimseye bir şey söylenmez. / Nobody is told."


def _message(one: PlannedMessage) -> str:
    reason = one.suppressed or one.failed
    if reason is not None:
        other = f" ({one.superseded_by})" if one.superseded_by else ""
        return f"{one.recipient} · {one.transition} · gitmez / not sent: {reason}{other}"
    when = f"{one.send_at.astimezone(ISTANBUL):%d.%m.%Y %H:%M:%S}" if one.send_at else ""
    how = " ".join(filter(None, (one.channel, one.meta_template and f"(Meta: {one.meta_template})")))
    head = " · ".join(filter(None, (when, one.recipient, how, one.template or one.transition)))
    words = [one.subject, one.text, *(f"[ {choice} ]" for choice in one.choices)]
    data = [f"{name}: {value}" for name, value in (one.data or {}).items()]
    return "\n".join([head, *(f"  {text}" for text in filter(None, [*words, *data]))])
