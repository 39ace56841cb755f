"""Other processes that use the CRM: real ones, forked in milliseconds from a waiting server.

Each tells when it is where the test wants it to be, and then waits to be released or killed.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import duckdb

from pf_pipeline.leads.observing import Observed
from pf_pipeline_tests.crm.builders import CrmFile

PATIENCE = 60.0
READY = "ready"

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class OtherProcess:
    process: ForkServerProcess
    connection: Connection

    def wait_until_ready(self) -> None:
        """Wait until it says that it is where it should be."""
        assert self.connection.poll(PATIENCE), "the other process did not come so far"
        assert self.connection.recv() == READY

    def release(self) -> None:
        """Let it go on to its end."""
        self.connection.send("go on")

    def wait(self) -> None:
        """Wait until it came to its end."""
        self.process.join(PATIENCE)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.join(PATIENCE)
        assert self.process.exitcode == -9


@contextmanager
def other_process(work: Callable[..., None], *arguments: object) -> Iterator[OtherProcess]:
    """A process that does ``work(connection, *arguments)``, once it said that it is ready."""
    ours, its = context.Pipe()
    process = context.Process(target=work, args=(its, *arguments))
    process.start()
    its.close()
    try:
        other = OtherProcess(process, ours)
        other.wait_until_ready()
        yield other
    finally:
        process.kill()
        process.join(PATIENCE)
        process.close()
        ours.close()


def hold(connection: Connection, crm: CrmFile, *observed: Observed) -> None:
    """Open the CRM as the pipeline does, load, and keep it open until released."""
    with crm.open() as warehouse:
        for some in observed:
            warehouse.load_leads(some.observations, some.rejected, days=[])
        connection.send(READY)
        connection.recv()


def hold_plainly(connection: Connection, crm: CrmFile) -> None:
    """Open the file as a notebook does, without the pipeline's lock, until released."""
    with duckdb.connect(str(crm.path)):
        connection.send(READY)
        connection.recv()


def hold_read_only(connection: Connection, crm: CrmFile) -> None:
    with duckdb.connect(str(crm.path), read_only=True):
        connection.send(READY)
        connection.recv()


def hold_a_transaction(connection: Connection, crm: CrmFile, *statements: str) -> None:
    """Write without committing, and wait."""
    with duckdb.connect(str(crm.path)) as database:
        database.begin()
        for statement in statements:
            database.execute(statement)
        connection.send(READY)
        connection.recv()


def load_each(connection: Connection, crm: CrmFile, batches: Sequence[Observed]) -> None:
    """Load batch by batch, opening the CRM for each."""
    connection.send(READY)
    for batch in batches:
        crm.load(batch)


def load_for_ever(connection: Connection, crm: CrmFile, batches: Sequence[Observed]) -> None:
    """Load batch by batch, from the first one again after the last, and tell of each."""
    connection.send(READY)
    for batch in cycle(batches):
        crm.load(batch)
        connection.send(READY)
