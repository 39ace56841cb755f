"""What a benchmark ran on, and what a command cost."""

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

PACKAGES = ("dagster", "duckdb", "pandas", "pandera", "pyarrow")


@dataclass(frozen=True)
class Cost:
    """What one command cost.

    Attributes:
        seconds: From start to end.
        cpu_seconds: User and system time of the command.
        peak_megabytes: The most memory it held at once.
    """

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def describe_machine() -> str:
    """One line: when, processors, system, versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, {versions}"
    )


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: It failed; holds the end of what it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    # wait4 tells what this very child used, as the system accounts it.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {output[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
