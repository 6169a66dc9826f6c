"""
Dead letters, looked at and sent back: ``python -m deploy.dlq list|show|mend|replay <group>``.

A replay sends the original bytes to the topic they came from, a mend sends a corrected copy; both say in a header from
which letter it is, and are noted behind it (``services/common/kit/letters.py``).
"""

import argparse
import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.terminal import ToolError, bootstrap_servers, safe, safe_json
from services.common.contracts.envelope import Record
from services.common.contracts.topics import GROUPS, TOPICS_BY_NAME, dlq_of
from services.common.kit.letters import REPLAYED, Letter, LettersError, read, refused_by_contracts, send_back
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.common.kit.settings import KafkaSettings

MENDED: Final = "dlq-mended-from"
PRIVATE: Final = "It may hold personal data: do not paste it into tickets or chats."


def mended(
    letter: Letter,
    *,
    value: bytes | None = None,
    fields: Sequence[tuple[str, Any]] = (),
    drop: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
) -> Record:
    """
    A corrected copy: another value, fields set or dropped (``location.lat`` goes deeper), headers set. The key is made
    from the payload. Raises ``ToolError`` if the contracts do not take it.
    """
    try:
        payload = json.loads(value if value is not None else letter.value or b"")
    except ValueError:
        raise ToolError("the value is no JSON: give a whole new one with --value-file") from None
    if not isinstance(payload, dict):
        raise ToolError("the value is no JSON object: give a whole new one with --value-file")
    for name, new in fields:
        _place(payload, name, make=True)[name.rpartition(".")[2]] = new
    for name in drop:
        _place(payload, name).pop(name.rpartition(".")[2], None)
    topic = TOPICS_BY_NAME[letter.origin_topic]
    other = dict(headers)
    kept = [(name, raw) for name, raw in letter.headers if name not in other]
    record = letter.original(MENDED)
    record = Record(
        record.topic,
        str(payload.get(topic.types[0].key_field, "")).encode("utf-8", "replace"),
        json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"),
        (*kept, *((name, text.encode()) for name, text in other.items()), record.headers[-1]),
    )
    if why := refused_by_contracts(record):
        raise ToolError(f"not sent, it would be refused again: {safe(why)}")
    return record


def _place(payload: dict[str, Any], name: str, *, make: bool = False) -> dict[str, Any]:
    for part in name.split(".")[:-1]:
        inner = payload.setdefault(part, {}) if make else payload.get(part, {})
        if not isinstance(inner, dict):
            raise ToolError(f"{safe(name)}: {safe(part)} is no object")
        payload = inner
    return payload


def send_all_back(servers: str, pairs: Iterable[tuple[Letter, Record]], how: str) -> Iterator[Letter]:
    """
    Send each record and note it, in order; gives each letter that is done. Raises ``ToolError`` at the first error.
    """
    publisher = KafkaPublisher(KafkaSettings(bootstrap_servers=servers))
    with asyncio.Runner() as runner:
        try:
            for letter, record in pairs:
                try:
                    runner.run(send_back(publisher, letter, record, how))
                except PublishFailed as error:
                    raise ToolError(f"stopped at letter {letter.offset}: {error}; run it again to go on") from None
                yield letter
        finally:
            runner.run(publisher.close())


# --- the commands ---


def list_(group: str, arguments: argparse.Namespace) -> int:
    """
    A table of the letters, without what they say.
    """
    letters = [one for one in read(bootstrap_servers(), group) if one.matches(arguments.reason, *arguments.offsets)]
    table = Table("offset", "when", "origin", "reason", "detail", "sent back", title=f"{dlq_of(group).name}")
    for one in letters[-arguments.max :]:
        when = safe(one.at[:19].replace("T", " "))
        cells = (str(one.offset), when, one.origin, one.reason, one.detail, one.sent_back)
        table.add_row(*(Text(safe(cell)) for cell in cells))
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
    print(
        f"{len(letters)} dead letters" + ("" if len(letters) <= arguments.max else f", the last {arguments.max} shown")
    )
    return 0


def show(group: str, arguments: argparse.Namespace) -> int:
    """
    One letter, whole. ``--raw`` writes its value's bytes alone, for an editor and ``mend --value-file``.
    """
    letter = _one(group, arguments.offset)
    print(PRIVATE, file=sys.stderr)
    if arguments.raw:
        sys.stdout.buffer.write(letter.value or b"")
        return 0
    for name in ("at", "origin", "reason", "detail", "sent_back"):
        print(f"{name.replace('_', ' '):<10} {safe(getattr(letter, name))}")
    print(f"{'key':<10} {letter.key!r}")
    for header, raw in letter.headers:
        print(f"{'header':<10} {safe(header)}: {raw!r}")
    print(f"{'value':<10} " + ("none" if letter.value is None else f"{len(letter.value)} bytes"))
    if letter.value:
        try:
            print(safe_json(json.loads(letter.value), indent=2))
        except (ValueError, RecursionError):
            print(repr(letter.value[:2_000]) + (" …" if len(letter.value) > 2_000 else ""))
    return 0


def mend(group: str, arguments: argparse.Namespace) -> int:
    """
    Send a corrected copy back to where the letter came from.
    """
    letter = _one(group, arguments.offset)
    if letter.sent_back and not arguments.again:
        raise ToolError(
            f"letter {letter.offset} was already sent back ({letter.sent_back}); --again sends it once more"
        )
    value = Path(arguments.value_file).read_bytes() if arguments.value_file else None
    record = mended(letter, value=value, fields=arguments.set, drop=arguments.drop_field, headers=arguments.set_header)
    if arguments.dry_run:
        print(f"would send letter {letter.offset} to {record.topic}; the contracts take it")
        return 0
    for _ in send_all_back(bootstrap_servers(), [(letter, record)], "mended"):
        print(f"letter {letter.offset} mended and sent to {record.topic}")
    return 0


def replay(group: str, arguments: argparse.Namespace) -> int:
    """
    Send original bytes back, oldest first, at most ``--max``; what was sent back before stays where it is.
    """
    found = [one for one in read(bootstrap_servers(), group) if one.matches(arguments.reason, *arguments.offsets)]
    before = [one for one in found if one.sent_back and not arguments.again]
    waiting = [one for one in found if one not in before]
    if before:
        places = ", ".join(str(one.offset) for one in before[:20]) + (", …" if len(before) > 20 else "")
        print(f"already replayed: {len(before)} ({places}); --again sends them once more")
    pairs = [(one, one.original(REPLAYED)) for one in waiting[: arguments.max]]
    if arguments.dry_run:
        for letter, record in pairs:
            why = refused_by_contracts(record)
            says = f"would be refused again: {safe(why)}" if why else "the contracts take it"
            print(f"would send letter {letter.offset} to {record.topic}; {says}")
    else:
        for letter in send_all_back(bootstrap_servers(), pairs, "replayed"):
            print(f"letter {letter.offset} replayed to {letter.origin_topic}")
    left = len(waiting) - len(pairs)
    print(f"{len(pairs)} {'would be ' if arguments.dry_run else ''}replayed, {left} left by --max {arguments.max}")
    return 0


def _one(group: str, offset: int) -> Letter:
    for letter in read(bootstrap_servers(), group):
        if letter.offset == offset:
            return letter
    raise ToolError(f"there is no dead letter {offset} in {dlq_of(group).name}; `list {group}` shows which there are")


# --- the command line ---


def offsets(text: str) -> tuple[int, int | None]:
    """
    ``5``, ``5-9`` or ``5-`` as first and last. Raises ``argparse.ArgumentTypeError``.
    """
    found = re.fullmatch(r"(\d{1,18})(-(\d{1,18})?)?", text)
    if not found or (found[3] and int(found[3]) < int(found[1])):
        raise argparse.ArgumentTypeError("it is one offset (5), a range (5-9) or an open one (5-)")
    first = int(found[1])
    return first, (int(found[3]) if found[3] else None) if found[2] else first


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("it is name=value")
    return name, value


def _field(text: str) -> tuple[str, Any]:
    name, value = _assignment(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("it is a number from 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    top = argparse.ArgumentParser(prog="python -m deploy.dlq", description=(__doc__ or "").partition("\n\n")[0])
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, help_: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=help_)
        one.add_argument("group", choices=GROUPS, help="whose dead letters")
        return one

    for name, help_ in (("list", "a table, without payloads"), ("replay", "send original bytes back")):
        many = add(name, help_)
        many.add_argument("--reason", metavar="TEXT", help="this text is in the reason or detail")
        many.add_argument("--offsets", type=offsets, default=(0, None), metavar="A-B")
        many.add_argument("--max", type=_positive, default=100, help="at most so many (100)")
    showing = add("show", "one letter, whole")
    showing.add_argument("offset", type=int)
    showing.add_argument("--raw", action="store_true", help="the value's bytes alone")
    mending = add("mend", "send a corrected copy back")
    mending.add_argument("offset", type=int)
    mending.add_argument("--set", action="append", default=[], type=_field, metavar="FIELD=VALUE", help="JSON or text")
    mending.add_argument("--drop-field", action="append", default=[], metavar="FIELD")
    mending.add_argument("--set-header", action="append", default=[], type=_assignment, metavar="NAME=VALUE")
    mending.add_argument("--value-file", metavar="FILE", help="a whole new value")
    for one in (many, mending):
        one.add_argument("--dry-run", action="store_true", help="say what would be sent")
        one.add_argument("--again", action="store_true", help="also what was sent back before")
    return top


def main() -> int:
    """
    Entry of ``python -m deploy.dlq``: 0 done, 2 with one line that says what to do.
    """
    arguments = parser().parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    command = {"list": list_, "show": show, "mend": mend, "replay": replay}[arguments.command]
    try:
        return command(arguments.group, arguments)
    except (ToolError, LettersError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
