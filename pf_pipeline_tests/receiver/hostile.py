"""Signed bodies of every kind (valid, mutated, hostile), and what became of each.

    python -m pf_pipeline_tests.receiver.hostile [--bodies N] [--seed N]

prints a line of sums, and ends with 1 if an answer was none that is allowed, or if something is not
accounted for.
"""

import argparse
import http.client
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from pf_pipeline.leads.deliveries import sightings_of
from pf_pipeline.leads.observing import observe
from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline_tests.receiver.builders import envelope, guide_lead, sign
from pf_pipeline_tests.receiver.running import Receiver, running_receiver

ALLOWED = {202, 413, 503}
NASTY: list[object] = [
    None, True, False, 0, -1, 1.5, 10**400, "", " ", "\0", "\ud800", "💥" * 50, "x" * 5_000,
    [], {}, [[]], [None], {"": ""}, {"id": None}, "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", "-1", "=cmd()", "'; DROP TABLE leads; --", "<script>", "${jndi:x}",
]  # fmt: skip
RAW = [
    b"", b" ", b"{", b"}", b"[", b"]", b"null", b"true", b"1", b'"x"', b"NaN", b"-Infinity",
    b"[" * 9_000, b'{"a":' * 5_000, b"\xff\xfe", b"\xef\xbb\xbf{}", b"\x00" * 100, b"{}{}",
    b"<xml/>", b"a=b&c=d",
    b"1" * 60_000, b'{"id":1,"id":2}', b"x" * 65_536, b"x" * 65_537, b"[" + b"{}," * 9_000 + b"{}]",
]  # fmt: skip


@dataclass
class Ending:
    """What became of all bodies."""

    statuses: Mapping[int, int]
    acknowledged: int
    stored: int
    repeats: int
    records: int
    loaded: int
    duplicate: int
    rejected: int
    set_aside: int

    @property
    def problems(self) -> list[str]:
        """What should not be."""
        problems = [f"an answer {status}" for status in self.statuses if status not in ALLOWED]
        if self.acknowledged != self.stored + self.repeats:
            problems.append("acknowledged is not stored + repeated")
        if self.records != self.loaded + self.duplicate + self.rejected:
            problems.append("received is not loaded + duplicate + rejected")
        if self.set_aside:
            problems.append(f"{self.set_aside} break the load")
        return problems


def bodies(number: int, rng: Random) -> Iterator[bytes]:
    """So many bodies; of some, repetitions."""
    earlier: list[bytes] = []
    for position in range(number):
        kind = rng.random()
        if kind < 0.1 and earlier:
            body = rng.choice(earlier)
        elif kind < 0.2:
            body = rng.choice(RAW)
        else:
            body = _mutated(position, rng)
        earlier.append(body)
        yield body


def _mutated(number: int, rng: Random) -> bytes:
    """A delivery as it should be, of which some places hold something else."""
    value: object = (
        json.loads(envelope(number, lead=f"lead-{number % 500}"))
        if rng.random() < 0.7
        else {"data": [guide_lead(number), guide_lead(number + 1)]}
    )
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        value = _replaced(value, rng)
    body = json.dumps(value).encode()
    if rng.random() < 0.15:
        place = rng.randrange(len(body))
        body = body[:place] + rng.randbytes(rng.randrange(4)) + body[place + rng.randrange(9) :]
    return body


def _replaced(value: object, rng: Random) -> object:
    """The value with something nasty in one place, near or deep."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice([*value])
        if rng.random() < 0.15:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: _replaced(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], _replaced(value[place], rng), *value[place + 1 :]]
    return rng.choice(NASTY)


def deliver_all(receiver: Receiver, number: int, seed: int) -> Ending:
    """Deliver so many bodies, wait until they are loaded, and count."""
    rng = Random(seed)  # noqa: S311 - chooses bodies
    line = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
    statuses: Counter[int] = Counter()
    for body in bodies(number, rng):
        line.request("POST", WEBHOOK_PATH, body, {"X-Signature": sign(body)})
        answer = line.getresponse()
        answer.read()
        statuses[answer.status] += 1
    line.close()
    receiver.wait_until_loaded()
    counts = receiver.inbox.counts()
    deliveries = receiver.inbox.after(0, 1_000_000)
    observed = observe(
        sightings_of(deliveries), partition_key="2026-01-01", country="AE", by="webhook"
    )
    rejected = receiver.crm_rows(
        "SELECT count(*) FROM rejected_leads WHERE received_from = 'webhook'"
    )[0][0]
    loaded = receiver.crm_rows("SELECT count(*) FROM leads")[0][0]
    assert loaded == observed.observations["lead_id"].nunique()
    return Ending(
        statuses,
        statuses[202],
        counts.stored,
        counts.repeats,
        observed.received,
        loaded,
        observed.received - loaded - len(observed.rejected),
        rejected,
        int(receiver.metric("pf_webhook_set_aside_total")),
    )


def main(arguments: list[str]) -> int:
    """Deliver so many bodies; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bodies", type=int, default=10_000, help="how many (default 10,000)")
    parser.add_argument("--seed", type=int, default=1, help="chooses them (default 1)")
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_receiver(Path(folder) / "data") as receiver,
    ):
        ending = deliver_all(receiver, given.bodies, given.seed)
    sys.stdout.write(f"{ending}\n")
    for problem in ending.problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if ending.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
