"""The loader in a process of its own, at a low priority, and whoever looks after it.

Parsing and loading are work for a processor, and would hold up requests that want their answer in
milliseconds. A process also means that nothing that befalls the load, not even its end, befalls
what acknowledges deliveries: a loader that ends is started again.
"""

import multiprocessing
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from threading import Event, Thread
from time import monotonic

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.receiver.loader import Failed, Loaded, Loader, Reached, SetAside, Told
from pf_pipeline.receiver.loading import LoadedBatch, crm_file, load_deliveries, loaded_until
from pf_pipeline.receiver.logs import fields, log, write_logs
from pf_pipeline.receiver.metrics import Metrics
from pf_pipeline.settings import Settings

NICENESS = 10
LEAST_RESTART_SECONDS, MOST_RESTART_SECONDS = 1.0, 30.0
HEALTHY_SECONDS = 60.0
"""After so long, a loader that ends was well: the next one starts without delay."""
NEWS, STOP = b"n", b"s"
READ_BYTES = 65_536

context = multiprocessing.get_context("spawn")


class LoaderProcess:
    """The loader as the receiver sees it: start it, tell it of news, ask how far it is, stop it."""

    def __init__(
        self, settings: Settings, metrics: Metrics, on_loaded: Callable[[LoadedBatch], None]
    ) -> None:
        """Name the parts; nothing happens before :meth:`start`.

        Args:
            settings: Where the inbox and the CRM are.
            metrics: Told of every batch.
            on_loaded: Told of every batch; must return at once.
        """
        self._settings = settings
        self._metrics = metrics
        self._on_loaded = on_loaded
        self._stopping = Event()
        self._line: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._keeper = Thread(target=self._keep_alive, name="loader-keeper", daemon=True)
        self.position: int | None = None
        """Up to which number the inbox is loaded; unknown until the CRM was asked."""

    @property
    def alive(self) -> bool:
        """Whether there is a loader at this moment."""
        process = self._process
        return process is not None and process.is_alive()

    def start(self) -> None:
        """Start the loader, and again whenever it ends."""
        self._keeper.start()

    def tell_news(self) -> None:
        """Something was stored. Returns at once, and harms nobody if there is no loader."""
        self._say(NEWS)

    def stop(self, patience: float) -> bool:
        """Let the loader finish its batch, and end; one that takes too long is killed.

        Args:
            patience: Seconds to wait.

        Returns:
            Whether it ended by itself. If not, the next loader does the batch again.
        """
        self._stopping.set()
        self._say(STOP)
        self._keeper.join(patience)
        ended = not self._keeper.is_alive()
        process = self._process
        if process is not None and process.is_alive():
            process.kill()
        return ended

    def _say(self, word: bytes) -> None:
        line = self._line
        if line is not None:
            # A full line holds news already; a broken one is noticed by the keeper.
            with suppress(OSError):
                os.write(line.fileno(), word)

    def _keep_alive(self) -> None:
        delay = LEAST_RESTART_SECONDS
        while not self._stopping.is_set():
            started = monotonic()
            self._run_one()
            if self._stopping.is_set():
                return
            delay = (
                LEAST_RESTART_SECONDS
                if monotonic() - started > HEALTHY_SECONDS
                else min(2 * delay, MOST_RESTART_SECONDS)
            )
            self._metrics.loader_restarts.inc()
            log.error(
                "the loader ended by itself; it is started again", extra=fields(seconds=delay)
            )
            self._stopping.wait(delay)

    def _run_one(self) -> None:
        """Start a loader and listen to it until it ends."""
        hears, self_speaks = context.Pipe(duplex=False)
        self_hears, speaks = context.Pipe(duplex=False)
        process = context.Process(
            target=_load_until_stopped, args=(self._settings, hears, speaks), name="loader"
        )
        process.start()
        log.info("the loader starts", extra=fields(process=process.pid))
        hears.close()
        speaks.close()
        os.set_blocking(self_speaks.fileno(), False)
        self._process, self._line = process, self_speaks
        if self._stopping.is_set():
            self._say(STOP)
        with suppress(EOFError, OSError):
            while True:
                self._note(self_hears.recv())
        process.join()
        self._line = None
        self_speaks.close()
        self_hears.close()

    def _note(self, told: Told) -> None:
        metrics = self._metrics
        match told:
            case Reached(position):
                self.position = position
            case Loaded(deliveries, seconds, batch):
                metrics.load_seconds.observe(seconds)
                metrics.load_sizes.observe(deliveries)
                metrics.leads["inserted"].inc(batch.inserted)
                metrics.leads["updated"].inc(batch.updated)
                metrics.leads["unchanged"].inc(batch.unchanged)
                metrics.leads["rejected"].inc(batch.rejected)
                self._on_loaded(batch)
            case Failed():
                metrics.load_failures.inc()
            case SetAside():
                metrics.set_aside.inc()


class ParentLine:
    """What the receiver says, as single bytes; silence for ever when it has ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._news = False
        self.stopping = False
        """Whether the receiver wants the loader to end, or has ended itself."""

    def wait_for_news(self, seconds: float) -> None:
        """Wait until something was stored, or the loader shall end, or so many seconds."""
        if not self._news:
            self._listen(seconds)
        self._news = False

    def pause(self, seconds: float) -> None:
        """Wait until the loader shall end, or so many seconds."""
        deadline = monotonic() + seconds
        while not self.stopping and (left := deadline - monotonic()) > 0:
            self._listen(left)

    def _listen(self, seconds: float) -> None:
        if not select.select([self._connection], [], [], seconds)[0]:
            return
        words = os.read(self._connection.fileno(), READ_BYTES)
        self._news = True
        self.stopping = self.stopping or not words or STOP in words


def _load_until_stopped(settings: Settings, hears: Connection, speaks: Connection) -> None:
    """What the process does. It ends when it is told so, or when the receiver has ended."""
    # A terminal and a process manager send signals to all processes; the receiver decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=_end_with_the_receiver, daemon=True).start()
    os.nice(NICENESS)
    write_logs()
    inbox = Inbox(settings.data_dir)
    Loader(
        inbox,
        partial(load_deliveries, settings),
        partial(loaded_until, settings),
        ParentLine(hears),
        partial(_tell, speaks),
        partial(crm_file, settings),
    ).run()
    inbox.close()
    # Tearing down the interpreter beside a thread makes native libraries complain in the log.
    os._exit(0)


def _end_with_the_receiver() -> None:
    """End at once when the receiver was killed: the next one's loader does the batch again."""
    receiver = multiprocessing.parent_process()
    if receiver is not None:
        receiver.join()
        os._exit(1)


def _tell(line: Connection, told: Told) -> None:
    # Nobody hears: the receiver has ended, which the other line says as well.
    with suppress(OSError):
        line.send(told)
