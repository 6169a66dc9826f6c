"""
Which server is the database of a local stack: one of SecantusDB's two, or MongoDB in a container (decisions/0003).
"""

from typing import Final

from deploy.stack.config import SECANTUS_CRATE, SECANTUS_RS, Database, Kind, StackError

BUILD: Final = f"cargo install {SECANTUS_CRATE} --locked --root {SECANTUS_RS.parents[1]}"


def choose(wanted: str, kind: Kind) -> Database:
    """
    The server that was asked for; else the one that comes with our packages, on every machine the same.

    Raises ``StackError`` for one that is unknown, is not built here, or has no place in a stack of that kind.
    """
    if kind == "docker":
        if wanted not in ("", "mongod"):
            raise StackError(f"MONGO={wanted}: STACK=docker has MongoDB in a container, mongod")
        return "mongod"
    if wanted in ("", "secantusd-py"):
        return "secantusd-py"
    if wanted != "secantusd-rs":
        raise StackError(f"MONGO={wanted}: STACK={kind} has secantusd-py or secantusd-rs")
    if not SECANTUS_RS.exists():
        raise StackError(f"MONGO=secantusd-rs is not built here; once, for about 10 minutes: {BUILD}")
    return "secantusd-rs"
