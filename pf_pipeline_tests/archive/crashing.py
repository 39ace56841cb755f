"""Passes that are killed: a program that the crash tests run, and that dies by ``SIGKILL``.

``operations FOLDER`` stores the same pass again and again, each time in a folder of its own, and
is killed before the first, the second, ... the last operation on files. ``moments FOLDER COUNT``
stores passes without end and is killed COUNT times, at whatever instant after a few manifests.

It forks, so that each death costs milliseconds; the tests' own process has threads and cannot.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from pf_pipeline.archive import RawLeads
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    Page,
    after,
    lead,
    page,
    store,
)

DAYS = (DAY, NEXT_DAY)
PASSES_SURVIVED = 4
CHANGES = frozenset({"open", "os.mkdir", "os.rename", "os.remove"})


def first_pass() -> list[Page]:
    """What stands already when the pass begins that does not survive."""
    return [page(1, lead("known")), page(2, lead("shared"), lead("next", NEXT_DAY))]


def second_pass() -> list[Page]:
    """A page that is known, one that is new to one day, and one that is new to both."""
    return [
        page(1, lead("known"), at=after(60)),
        page(2, lead("new"), at=after(60)),
        page(3, lead("both"), lead("both-next", NEXT_DAY), at=after(61)),
    ]


def endless_pass(number: int) -> list[Page]:
    """Pages of two days that tell from which pass they are and of how many."""
    return [
        page(n, lead(f"{number}.{n}", text="x" * 2000), lead(f"{number}.{n}", NEXT_DAY))
        for n in range(1, 4)
    ]


def die_before(operation: int, folder: Path) -> None:
    """Kill this process when it is about to change or flush something for the nth time."""
    remaining = count(1)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event not in CHANGES or not isinstance(arguments[0], str | Path):
            return
        is_inside = Path(arguments[0]).is_relative_to(folder)
        if is_inside and next(remaining) == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def fork(work: Callable[[], object]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


def was_killed(process: int) -> bool:
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def kill_before_every_operation(folder: Path) -> None:
    for operation in count(1):
        data_dir = folder / f"operation-{operation:03d}"
        raw = RawLeads(data_dir)
        store(raw, *first_pass(), days=DAYS)

        def crash(data_dir: Path = data_dir, operation: int = operation) -> None:
            die_before(operation, data_dir)
            store(RawLeads(data_dir), *second_pass(), days=DAYS, at=after(60))

        if not was_killed(fork(crash)):
            return


def kill_at_random_moments(folder: Path, times: int) -> None:
    for death in range(times):
        data_dir = folder / f"moment-{death:03d}"

        def never_stop(data_dir: Path = data_dir) -> None:
            for number in count(1):
                store(RawLeads(data_dir), *endless_pass(number), days=DAYS, at=NOON)

        process = fork(never_stop)
        while len([*data_dir.rglob("manifest.json")]) < death % PASSES_SURVIVED:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.02))  # noqa: S311 - any moment will do
        os.kill(process, signal.SIGKILL)
        was_killed(process)


if __name__ == "__main__":
    if sys.argv[1] == "operations":
        kill_before_every_operation(Path(sys.argv[2]))
    else:
        kill_at_random_moments(Path(sys.argv[2]), int(sys.argv[3]))
