"""
``python -m services.routing rules test | explain``: for who edits the rules file.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import neighbourhood
from services.common.contracts.vocabulary import Channel, Kind
from services.routing.rules import Explanation, Match, Meeting, RuleBook
from services.routing.rules_file import read_rules
from services.routing.rules_form import ISTANBUL, AssignmentRule, BrokenRules, Question, ServiceRule
from services.routing.settings import RoutingSettings


def run(arguments: Sequence[str]) -> int:
    """
    Do what the arguments behind ``rules`` say. 0: done, and all tests are right; 1: a test is wrong; 2: the file cannot
    be used, or the arguments cannot.
    """
    args = _parser().parse_args(arguments)
    try:
        book = read_rules(args.file or RoutingSettings.read().rules_file, catalogue())
    except BrokenRules as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if args.command == "test":
        return _test(book, args.json)
    channel = Channel(args.channel) if args.channel else None
    kind = Kind(args.kind) if args.kind else None
    question = Question(args.text, args.service, args.neighbourhood, channel, kind, args.at)
    return _explain(book, question, args.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.routing rules", description="Try the rules file.")
    commands = parser.add_subparsers(dest="command", required=True)
    test = commands.add_parser("test", help="run the tests that stand in the file; show rules that never decide")
    explain = commands.add_parser("explain", help="show what the rules make of a text, and why")
    for command in (test, explain):
        command.add_argument("--file", type=Path, help="another rules file than the one in use")
        command.add_argument("--json", action="store_true", help="for programs")
    explain.add_argument("text")
    explain.add_argument("--service", type=_service, help="the service_code that came with it, or a person's choice")
    explain.add_argument("--channel", choices=[channel.value for channel in Channel])
    explain.add_argument("--neighbourhood", type=_place, help="a mahalle")
    explain.add_argument("--kind", choices=[kind.value for kind in Kind])
    explain.add_argument("--at", type=_moment, help="when it came in, in Istanbul: 2026-05-18T23:00")
    return parser


def _service(code: str) -> str:
    if code not in catalogue().services:
        raise argparse.ArgumentTypeError(f"there is no service {code!r}")
    return code


def _place(name: str) -> str:
    known = neighbourhood(name)
    if known is None:
        raise argparse.ArgumentTypeError(f"there is no neighbourhood {name!r}")
    return known


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-05-18T23:00") from error
    return at if at.tzinfo else at.replace(tzinfo=ISTANBUL)


def _test(book: RuleBook, as_json: bool) -> int:
    failures, warnings = book.failures(), book.warnings()
    if as_json:
        wrong = [
            {"test": f.place, "text": f.text, "field": field, "expected": expected, "came": came}
            for f in failures
            for field, expected, came in f.wrong
        ]
        _say(json.dumps({"cases": len(book.tests), "wrong": wrong, "warnings": warnings}, ensure_ascii=False, indent=2))
    else:
        head = ("test", "text", "field", "expected", "came")
        rows = [(str(f.place), _short(f.text), *wrong) for f in failures for wrong in f.wrong]
        _say(*(_table([head, *rows]) if rows else ()), *(f"warning: {warning}" for warning in warnings))
        _say(f"{len(book.tests)} cases, {len(failures)} wrong")
    return 1 if failures else 0


def _explain(book: RuleBook, question: Question, as_json: bool) -> int:
    why = book.explain(question)
    if as_json:
        _say(json.dumps(_as_json(why), ensure_ascii=False, indent=2))
        return 0
    known = book.catalogue
    by = "the service that was given" if why.explicit else f"rule {why.rule}" if why.rule else "no rule: triage"
    _say(
        *_table(
            [
                ("service", f"{why.service} ({known.services[why.service].tr})" if why.service else "none"),
                ("decided by", by),
                ("department", f"{why.department} ({known.departments[why.department].tr})"),
                ("priority", why.priority + (", emergency" if why.emergency else "")),
                ("assignment", f"rule {why.assignment}" if why.assignment else "no rule: as the catalogue says"),
                *([("team", why.team)] if why.team else []),
            ]
        )
    )
    later_services = why.services if why.explicit else why.services[1:]
    reason = "the service was given" if why.explicit else f"{why.rule} comes first"
    _section("services", "decided", () if why.explicit else why.services[:1])
    _section("services", f"would match too, but {reason}", later_services)
    _section("services", "the words match, but not the rest", why.services_missed)
    _section("assignments", "decided", why.assignments[:1])
    _section("assignments", f"would match too, but {why.assignment} comes first", why.assignments[1:])
    _section("assignments", "would match but for this", why.assignments_missed)
    return 0


def _section(section: str, title: str, matches: Sequence[Match[ServiceRule]] | Sequence[Match[AssignmentRule]]) -> None:
    if matches:
        _say("", f"{section}: {title}")
    for match in matches:
        _say(f"  {match.place:>3}. {match.rule.name} -> {_result(match.rule)}")
        _say(*(f"       {_met(meeting)}" for meeting in match.met))
        _say(*(f"       not: {_met(meeting)}" for meeting in match.unmet))


def _result(rule: ServiceRule | AssignmentRule) -> str:
    if isinstance(rule, ServiceRule):
        return rule.service
    return ", ".join(filter(None, [rule.department, rule.priority, rule.team and f"team {rule.team}"]))


def _met(meeting: Meeting) -> str:
    return f"{meeting.condition}: {meeting.wanted} <- {meeting.said}"


def _as_json(why: Explanation) -> dict[str, object]:
    def shown(matches: Iterable[Match[ServiceRule]] | Iterable[Match[AssignmentRule]]) -> list[dict[str, object]]:
        return [
            {
                "place": match.place,
                "rule": match.rule.model_dump(mode="json", by_alias=True, exclude_defaults=True),
                "met": [meeting._asdict() for meeting in match.met],
                "unmet": [meeting._asdict() for meeting in match.unmet],
            }
            for match in matches
        ]

    return {
        "service": why.service,
        "rule": why.rule,
        "assignment": why.assignment,
        "explicit": why.explicit,
        "department": why.department,
        "priority": why.priority,
        "emergency": why.emergency,
        "team": why.team,
        "services": shown(why.services),
        "services_missed": shown(why.services_missed),
        "assignments": shown(why.assignments),
        "assignments_missed": shown(why.assignments_missed),
    }


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
