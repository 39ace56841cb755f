"""Work on the archive that is killed: a program that the crash tests run, and that dies by SIGKILL.

``operations FOLDER`` stores the same pass again and again, each time in a folder of its own, and
is killed before the first, the second, ... the last operation on files; ``packing FOLDER`` does so
with packing, packing again, and unpacking. ``moments FOLDER COUNT`` stores passes without end and
is killed COUNT times, at whatever instant after a few manifests. ``reruns FOLDER COUNT`` kills
COUNT passes, some of them several times, each followed by a rerun that goes through to the end; it
ends with an error if an archive is not what an undisturbed pass leaves. For a long run:

    python -m pf_pipeline_tests.archive.crashing reruns "$(mktemp -d)" 200

It forks, so that each death costs milliseconds; the tests' own process has threads and cannot.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

from pf_pipeline.archive import RawLeads
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    Page,
    after,
    ids_of,
    lead,
    page,
    store,
    stored_pages,
)

DAYS = (DAY, NEXT_DAY)
PASSES_SURVIVED = 4
CHANGES = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"})


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


def packing_steps(folder: Path) -> None:
    """Kill each way of packing before every operation on files."""
    for name, prepare, work in (
        ("pack", [], RawLeads.pack),
        ("pack-again", [RawLeads.pack, add_sweep], RawLeads.pack),
        ("unpack", [RawLeads.pack], RawLeads.unpack),
    ):
        for operation in count(1):
            data_dir = folder / f"{name}-{operation:03d}"
            raw = RawLeads(data_dir)
            fill(raw)
            for step in prepare:
                step(raw, DAY)

            def crash(
                data_dir: Path = data_dir,
                operation: int = operation,
                work: Callable[[RawLeads, date], object] = work,
            ) -> None:
                die_before(operation, data_dir)
                work(RawLeads(data_dir), DAY)

            if not was_killed(fork(crash)):
                break


def fill(raw: RawLeads) -> None:
    """A day of three sweeps that share pages."""
    for minutes in range(3):
        store(
            raw,
            page(1, lead("same"), at=after(minutes)),
            page(2, lead("moving", status=minutes), at=after(minutes)),
            at=after(minutes),
        )


def add_sweep(raw: RawLeads, _: date) -> None:
    """One more sweep, in part of what the pack holds."""
    store(raw, page(1, lead("same"), at=after(9)), page(2, lead("later")), at=after(9))


FIRST_PAGES = 2
LONG_PASS = [
    page(n, lead(f"{n}.a", text="x" * 300), lead(f"{n}.b", NEXT_DAY if n % 3 else DAY))
    for n in range(1, 13)
]


def kill_and_rerun(folder: Path, times: int) -> None:
    chance = random.Random(times)  # noqa: S311 - any moments will do
    spent = _seconds_of_a_pass(folder / "undisturbed")
    deaths = 0
    for trial in count(1):
        if deaths >= times:
            break
        data_dir = folder / f"trial-{trial:03d}"
        raw = RawLeads(data_dir)
        store(raw, *LONG_PASS[:FIRST_PAGES], days=DAYS)
        for attempt in range(chance.choice([1, 1, 2, 3])):
            process = fork(partial(long_pass, data_dir, attempt))
            time.sleep(chance.uniform(0, spent * 1.2))
            os.kill(process, signal.SIGKILL)
            deaths += was_killed(process)
        open_passes = {f"sweep={path.stem}" for path in data_dir.glob("raw/passes/*.jsonl")}
        finished = {path.parent.name for path in data_dir.glob("raw/leads/*/*/manifest.json")}
        long_pass(data_dir, 9)
        # The rerun goes on with the open pass, if there is one, and is one more pass if not.
        check_archive(data_dir, len(finished - open_passes) + 1)
    print(f"{deaths} deaths, each followed by a rerun: every archive is as undisturbed")  # noqa: T201


def long_pass(data_dir: Path, attempt: int) -> None:
    store(RawLeads(data_dir), *LONG_PASS, days=DAYS, at=after(60 + attempt))


def check_archive(data_dir: Path, sweeps: int) -> None:
    """Compare an archive with what so many sweeps leave, of which the first saw two pages.

    Raises:
        RuntimeError: They differ.
    """
    raw = RawLeads(data_dir)
    for day in DAYS:
        expected = Counter(
            {
                record["id"]: sweeps if received.number <= FIRST_PAGES else sweeps - 1
                for received in LONG_PASS
                for record in received.records
                if isinstance(record, dict) and record["createdAt"].startswith(day.isoformat())
            }
        )
        state = (Counter(ids_of(raw, day)), len(raw.manifests(day)))
        if state != (expected, sweeps) or not all(one.complete for one in raw.manifests(day)):
            raise RuntimeError(f"{data_dir} differs on {day}: {state}, but {(expected, sweeps)}")
    if len(stored_pages(data_dir)) != len(stored_pages(data_dir.parent / "undisturbed")):
        raise RuntimeError(f"{data_dir} holds pages twice, or too few")
    if [*data_dir.rglob("*.jsonl*"), *data_dir.rglob("*.tmp")]:
        raise RuntimeError(f"{data_dir} holds leftovers")


def _seconds_of_a_pass(data_dir: Path) -> float:
    store(RawLeads(data_dir), *LONG_PASS[:FIRST_PAGES], days=DAYS)
    started = time.perf_counter()
    was_killed(fork(partial(long_pass, data_dir, 0)))
    return time.perf_counter() - started


if __name__ == "__main__":
    mode, place = sys.argv[1], Path(sys.argv[2])
    if mode == "operations":
        kill_before_every_operation(place)
    elif mode == "packing":
        packing_steps(place)
    elif mode == "moments":
        kill_at_random_moments(place, int(sys.argv[3]))
    else:
        kill_and_rerun(place, int(sys.argv[3]))
