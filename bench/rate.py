"""How much of the permitted rate is used, and how fast pages come where nothing limits them.

**Within the limit.** A sandbox admits 650 requests in any 60 seconds and answers 429 to the rest.
Readers, one process and then four at once with one state folder, walk over the same 100,000 leads
until they have read 3,250 pages together: five windows. Such a portal permits 650 requests at once,
and then 650 in 60 s. Printed are, beside the requests and the 429s that the sandbox counted:

- *window*: the mean time between a request and the 650th after it, of which the limit demands 60 s;
- *of the permitted*: 60 s in that window, the share of the permitted rate that is used.

**Without a limit.** One walk over 2,000 pages, each of which the sandbox holds back for 50 ms, with
8 requests at a time: the least that this takes is 2,000 x 50 ms / 8.

    python -m bench.rate
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import requests

from bench.machine import describe_machine
from bench.sandbox import FIRST, LAST, TOKEN, sandbox
from pf_pipeline.portal import connect

LIMIT, WINDOWS = 650, 5
PERIOD_SECONDS = 60.0
LATENCY_SECONDS, PARALLEL = 0.05, 8
UNLIMITED = 1_000_000_000
PORT = 8648
START = datetime.combine(FIRST, time_of_day(), tzinfo=UTC)
END = datetime.combine(LAST + timedelta(days=1), time_of_day(), tzinfo=UTC)


def main() -> None:
    """Print the figures of one process, of four, and of a portal without a limit."""
    print(f"\nRequests within the limit of {LIMIT} a minute, {WINDOWS} windows")
    print(f"{'':14}{'requests':>9}{'429s':>6}{'window, s':>11}{'of the permitted':>18}")
    for processes in (1, 4):
        _within_the_limit(processes)
    _without_a_limit()


def _within_the_limit(processes: int) -> None:
    with (
        sandbox(PORT, "--requests-per-minute", str(LIMIT)) as address,
        tempfile.TemporaryDirectory() as state,
    ):
        time.sleep(PERIOD_SECONDS)  # until the request that warmed the sandbox no longer counts
        before = _requests_and_refusals(address)
        pages = LIMIT * WINDOWS // processes
        command = [sys.executable, "-m", "bench.rate", address, state, str(pages)]
        readers = [
            subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own command
            for _ in range(processes)
        ]
        instants = sorted(
            instant for reader in readers for instant in json.loads(reader.communicate()[0])
        )
        after = _requests_and_refusals(address)
    windows = [later - earlier for earlier, later in zip(instants, instants[LIMIT:], strict=False)]
    window = statistics.mean(windows)
    label = "one process" if processes == 1 else f"{processes} processes"
    print(
        f"{label:14}{after[0] - before[0]:9,}{after[1] - before[1]:6}"
        f"{window:11.2f}{PERIOD_SECONDS / window:18.1%}"
    )


def _requests_and_refusals(address: str) -> tuple[int, int]:
    stats = requests.get(f"{address}/sandbox/stats", timeout=60).json()
    asked = stats["requests"].get("/v1/leads", 0)
    return asked, asked - stats["leads_pages"]


def _without_a_limit(runs: int = 3) -> None:
    seconds = []
    with (
        sandbox(PORT, "--latency", str(LATENCY_SECONDS)) as address,
        tempfile.TemporaryDirectory() as state,
    ):
        for _ in range(runs):
            started = time.perf_counter()
            pages = len(_read(address, Path(state), UNLIMITED, UNLIMITED))
            seconds.append(time.perf_counter() - started)
    least = pages * LATENCY_SECONDS / PARALLEL
    taken = statistics.median(seconds)
    print(f"\nWithout a limit, {LATENCY_SECONDS * 1000:.0f} ms latency, {PARALLEL} at a time")
    print(f"{pages:,} pages in {taken:.1f} s, median of {runs}; least {least:.1f} s", end="")
    print(f" ({taken / least - 1:+.0%})")


def _read(address: str, state: Path, per_minute: int, most_pages: int) -> list[float]:
    """Walk until so many pages are read, or once; returns when each was asked for."""
    instants: list[float] = []
    with connect(
        address,
        key=None,
        secret=None,
        token=TOKEN,
        dialect="guide",
        state_dir=state,
        requests_per_minute=per_minute,
        parallel=PARALLEL,
    ) as portal:
        while True:
            for page in portal.walk(START, END):
                instants.append(page.requested_at.timestamp())
                if len(instants) >= most_pages:
                    return instants
            if most_pages == UNLIMITED:
                return instants


if __name__ == "__main__":
    if sys.argv[1:]:  # a reader, started by the benchmark
        where, folder, wanted = sys.argv[1:]
        print(json.dumps(_read(where, Path(folder), LIMIT, int(wanted))))
    else:
        print(describe_machine())
        main()
