"""
What the command-line tools share: where the broker is, and texts of strangers made harmless for a terminal.
"""

import json
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from deploy.stack.config import ROOT, read_env_file
from services.common.kit import letters

_VISIBLE: Final = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_UNSEEN: Final = re.compile(
    r"[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


class ToolError(Exception):
    """
    The tool cannot do what was asked; the message says what to do about it.
    """


def bootstrap_servers(environment: Mapping[str, str] = os.environ) -> str:
    """
    KAFKA_BOOTSTRAP_SERVERS as ``settings`` finds it. Raises ``ToolError``.
    """
    return settings(environment)["KAFKA_BOOTSTRAP_SERVERS"]


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    The env file of the stack that RUN_DIR names; else the environment, if it names a broker; else the env file of the
    local stack. (In a shell that has sourced one stack's env file RUN_DIR still means another one.) Raises
    ``ToolError``.
    """
    named = environment.get("RUN_DIR")
    path = Path(named or ROOT / ".run") / "env"
    if environment.get("KAFKA_BOOTSTRAP_SERVERS") and not (named and path.exists()):
        return dict(environment)
    if not path.exists():
        raise ToolError(f"KAFKA_BOOTSTRAP_SERVERS is not set and there is no {path}: `make up` starts the local stack")
    found = read_env_file(path.read_text())
    if not found.get("KAFKA_BOOTSTRAP_SERVERS"):
        raise ToolError(f"{path} names no broker: that stack was never up (`make up` starts it)")
    return found


def no_broker(servers: str) -> ToolError:
    """
    What to say when no broker answers.
    """
    return ToolError(f"no broker answers at {servers}: does it run (`make up`, `make status`)?")


def reader(servers: str, topic: str) -> tuple[KafkaConsumer, TopicPartition]:
    """
    A consumer without a group on a topic of one partition, placed nowhere yet. Raises ``ToolError``.
    """
    try:
        return letters.reader(servers, topic)
    except letters.LettersError as reason:
        raise ToolError(str(reason)) from None


def safe(text: str) -> str:
    """
    The text on one line: blanks for line ends, signs for control characters (so no escape reaches the terminal),
    nothing for what has no shape (directions, zero-width, surrogates).
    """
    one_line = "".join(" " if c.isspace() else c for c in text)
    shown = (c for c in one_line.translate(_VISIBLE) if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn"))
    return re.sub(" {2,}", " ", "".join(shown)).strip()


def safe_json(value: object, indent: int | None = None) -> str:
    """
    JSON that reads back as it was and whose controls are all escaped.
    """
    printed = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", printed)
