"""``kill -9`` of the receiver at random instants under load, and then of its successor.

    python -m pf_pipeline_tests.integration.receiver_kills [--trials N] [--seed N]

Every trial goes on in the same folder. Half of them kill the loader as well. After each, what was
acknowledged must be in the inbox; after the last one, a receiver that is left alone must bring all
of it into the CRM, once. Prints what was lost, and a sum.
"""

import argparse
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.crm import open_crm
from pf_pipeline.receiver import WEBHOOK_PATH, listening, serve, write_logs
from pf_pipeline.receiver.loading import loaded_until
from pf_pipeline.settings import Settings, load_settings
from pf_pipeline_tests.receiver.builders import SECRET, envelope, sign

CLIENTS = 8
LONGEST_SECONDS = 3.0
PATIENCE = 600.0
PAUSE_SECONDS = 0.004
EVENTS_A_LEAD = 3


@dataclass
class Portal:
    """Delivers events, some of them several times, and remembers which were acknowledged."""

    acknowledged: set[bytes] = field(default_factory=set)
    refused: list[bytes] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, port: int, stop: threading.Event) -> None:
        """Deliver until told to stop, or nobody answers any more."""
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with suppress(OSError, http.client.HTTPException):
            while not stop.is_set():
                body = self._next()
                with suppress(OSError, http.client.HTTPException):
                    line.request("POST", WEBHOOK_PATH, body, {"X-Signature": sign(body)})
                    answer = line.getresponse()
                    answer.read()
                    if answer.status == http.HTTPStatus.ACCEPTED:
                        with self._lock:
                            self.acknowledged.add(body)
                        time.sleep(PAUSE_SECONDS)
                        continue
                with self._lock:
                    self.refused.append(body)
                break
        line.close()

    def _next(self) -> bytes:
        """A new event, or one that was not acknowledged, as the portal repeats them."""
        with self._lock:
            if self.refused:
                return self.refused.pop()
            number = next(self._numbers)
        return envelope(number, lead=f"lead-{number // EVENTS_A_LEAD}")


def start(settings: Settings) -> tuple[int, int]:
    """A receiver in a forked process of its own group; gives its id and its port."""
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        process = os.fork()
        if process == 0:
            status = 1
            try:
                os.setpgid(0, 0)
                write_logs()
                serve(settings, listener, lambda _: None)
                status = 0
            finally:
                os._exit(status)
    return process, port


def trial(settings: Settings, portal: Portal, rng: Random) -> list[str]:
    """Kill a receiver under load; gives what is wrong with the inbox then."""
    process, port = start(settings)
    stop = threading.Event()
    clients = [threading.Thread(target=portal.deliver, args=(port, stop)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(rng.uniform(0.05, LONGEST_SECONDS))
    with_loader = rng.random() < 0.5
    (os.killpg if with_loader else os.kill)(process, signal.SIGKILL)
    os.waitpid(process, 0)
    stop.set()
    for client in clients:
        client.join()
    inbox = Inbox(settings.data_dir)
    stored = [delivery.body for delivery in inbox.after(0, 10_000_000)]
    inbox.close()
    problems = [f"{len(lost)} lost" for lost in [portal.acknowledged - {*stored}] if lost]
    if len(stored) != len({*stored}):
        problems.append("stored twice")
    return problems


def finish(settings: Settings) -> list[str]:
    """Let a last receiver load what is left; gives what is wrong with the CRM then."""
    inbox = Inbox(settings.data_dir)
    process, _ = start(settings)
    deadline = time.monotonic() + PATIENCE
    while loaded_until(settings, inbox.inbox_id) < inbox.last_number:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    os.kill(process, signal.SIGTERM)
    _, status = os.waitpid(process, 0)
    deliveries = inbox.after(0, 10_000_000)
    inbox.close()
    sent = {json.loads(delivery.body)["entity"]["id"] for delivery in deliveries}
    with open_crm(settings.crm_location) as crm:
        rows = crm.query("SELECT lead_id FROM crm.leads")["lead_id"]
        seen = crm.query("SELECT count(*) AS n FROM pipeline.lead_observations")["n"][0]
    problems = [] if status == 0 else [f"the last receiver ended with {status}"]
    if sent != {*rows}:
        problems.append(f"{len(sent - {*rows})} leads missing, {len({*rows} - sent)} too many")
    if len(rows) != len({*rows}):
        problems.append("leads stand there twice")
    if seen > len(deliveries):
        problems.append("deliveries were loaded twice")
    return problems


def main(arguments: list[str]) -> int:
    """Run so many trials; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=200, help="how many kills (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the instants (default 1)")
    given = parser.parse_args(arguments)
    rng, portal, bad = Random(given.seed), Portal(), 0  # noqa: S311 - chooses instants
    with TemporaryDirectory() as folder:
        settings = load_settings(_env_file=None, data_dir=Path(folder), webhook_secret=SECRET)
        for number in range(1, given.trials + 1):
            if problems := trial(settings, portal, rng):
                bad += 1
                sys.stdout.write(f"trial {number}: {', '.join(problems)}\n")
        problems = finish(settings)
        if problems:
            bad += 1
            sys.stdout.write(f"at the end: {', '.join(problems)}\n")
    sys.stdout.write(
        f"{given.trials} kills, {len(portal.acknowledged)} deliveries acknowledged, {bad} wrong\n"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
