"""
Which server is the database of a local stack: one of SecantusDB's two, or MongoDB in a container (decisions/0003).
"""

from typing import Final

from deploy.stack.config import SECANTUS_CRATE, SECANTUS_RS, Database, Kind, StackError

# The crate asks for Rust 1.98; 1.95 builds it too. Besides that it needs CMake and a C compiler.
BUILD: Final = f"cargo install {SECANTUS_CRATE} --ignore-rust-version --root {SECANTUS_RS.parents[1]}"


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
        raise StackError(f"MONGO=secantusd-rs is not built here; once, for about 15 minutes: {BUILD}")
    return "secantusd-rs"
