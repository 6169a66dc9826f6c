"""
Apache Kafka on this machine's Java: which kind of stack is possible, the jars, the format of the storage.
"""

import base64
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from deploy.stack.config import ROOT, Config, Kind, StackError, kafka_properties
from deploy.stack.docker import lacks as docker_lacks

POM = ROOT / "deploy" / "kafka" / "pom.xml"
LIBS = ROOT / ".cache" / "kafka" / "libs"
JAVA_NEEDED = 17  # Apache Kafka 4 brokers refuse anything older


def choose(wanted: str, say: Callable[[str], None]) -> Kind:
    """
    The stack that was asked for, or the strongest that this machine has, and why not a stronger one: Apache Kafka on
    Java first, for all our measurements are made on it, then containers, then the embedded broker.

    Raises ``StackError`` when the wanted one cannot run, and in CI when only the embedded one could: tests that
    kill brokers prove nothing there.
    """
    if wanted not in ("", "auto", "docker", "jvm", "embedded"):
        raise StackError(f"STACK={wanted} is not known; it is one of docker, jvm, embedded")
    if wanted == "docker":
        if lacking := docker_lacks():
            raise StackError(f"STACK=docker cannot run: {lacking}")
        return "docker"
    if wanted == "embedded":
        return "embedded"
    lacking = jvm_lacks()
    if wanted == "jvm":
        if lacking:
            raise StackError(f"STACK=jvm cannot run: {lacking}")
        return "jvm"
    if not lacking:
        return "jvm"
    if os.environ.get("CI"):
        raise StackError(f"CI needs Apache Kafka, and {lacking}")
    say(f"No Apache Kafka on Java here: {lacking}")
    if lacking := docker_lacks():
        say(f"None in a container either: {lacking}")
        return "embedded"
    return "docker"


def java_major(version_output: str) -> int:
    """
    The major version in what ``java -version`` prints (``"1.8.0"`` is 8); 0 if there is none.
    """
    found = re.search(r'version "(?:1\.)?(\d+)', version_output)
    return int(found.group(1)) if found else 0


def jvm_lacks() -> str:
    """
    What Apache Kafka still needs on this machine, in words; empty if it can run.
    """
    if not shutil.which("java"):
        return f"there is no java on PATH ({JAVA_NEEDED} or newer is needed)"
    printed = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    major = java_major(printed.stderr + printed.stdout)
    if major < JAVA_NEEDED:
        return f"java is {major or 'of an unknown version'}; {JAVA_NEEDED} or newer is needed"
    if not jars_current() and not shutil.which("mvn"):
        return "there is no mvn on PATH to fetch Kafka's jars with"
    return ""


def _pom_hash() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


def jars_current() -> bool:
    """
    Do the jars of this very pom stand in ``.cache``?
    """
    stamp = LIBS / ".pom-sha256"
    return stamp.exists() and stamp.read_text() == _pom_hash()


def fetch_jars(say: Callable[[str], None]) -> None:
    """
    Have Maven copy Kafka's jars to ``.cache/kafka/libs``, once per pom. A broken run leaves the old ones alone.
    """
    if jars_current():
        return
    say("Fetching Apache Kafka's jars with Maven (once) …")
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LIBS.parent) as folder:
        fresh = Path(folder) / "libs"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
        ran = subprocess.run(["mvn", "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True, check=False)
        if ran.returncode:
            printed = (ran.stdout + ran.stderr)[-2000:]
            raise StackError(f"Maven could not fetch Kafka's jars (STACK=embedded does without):\n{printed}")
        (fresh / ".pom-sha256").write_text(_pom_hash())
        if LIBS.exists():
            LIBS.rename(Path(folder) / "old")
        fresh.rename(LIBS)


def prepare(config: Config, say: Callable[[str], None]) -> None:
    """
    Make the brokers ready to start: jars, settings, formatted storage. Repeating it changes nothing.
    """
    fetch_jars(say)
    nodes = range(1, config.brokers + 1)
    for node in nodes:
        config.kafka_properties(node).write_text(kafka_properties(config, node))
    wanted = {f"kafka-{node}" for node in nodes}
    formatted = {folder.parent.name for folder in config.data.glob("kafka-*/meta.properties")}
    if formatted == wanted:
        return
    if formatted:
        raise StackError(f"{config.data} holds {len(formatted)} broker(s); take BROKERS={len(formatted)} or WIPE=1")
    cluster = _cluster_id()
    tool = ("java", "-cp", f"{LIBS}/*", "kafka.tools.StorageTool", "format", "-t", cluster, "-c")
    runs = [
        subprocess.Popen(
            (*tool, str(config.kafka_properties(node))),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for node in nodes
    ]
    for run in runs:
        printed, _ = run.communicate()
        if run.returncode:
            raise StackError(f"Kafka's storage could not be formatted:\n{printed[-2000:]}")


def _cluster_id() -> str:
    """
    A random cluster id as Kafka writes it (base64url of 16 bytes); one that begins with ``-`` would read as an option.
    """
    while (drawn := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        continue
    return drawn
