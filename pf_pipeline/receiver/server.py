"""Serving the receiver: the parts put together, started, and ended so that nothing is left half.

Belongs here: the web server, the signals, and the order in which things stop.
"""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from types import FrameType

from uvicorn import Config, Server

from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.receiver.app import Deliveries, create_app
from pf_pipeline.receiver.connections import BoundedProtocol
from pf_pipeline.receiver.loader_process import LoaderProcess
from pf_pipeline.receiver.loading import LoadedBatch
from pf_pipeline.receiver.logs import fields, log
from pf_pipeline.receiver.metrics import Metrics
from pf_pipeline.receiver.signature import Verifier
from pf_pipeline.receiver.watching import Watch
from pf_pipeline.receiver.writer import GroupCommit
from pf_pipeline.settings import Settings, SettingsError

BACKLOG_OF_CONNECTIONS = 2_048
KEEP_ALIVE_SECONDS = 75
"""Longer than the proxies in front keep a connection that they do not use."""
LAST_ANSWERS_SECONDS = 6
LAST_BATCH_SECONDS = 60.0
WRITER_PATIENCE_SECONDS = 3.0
"""How long the writer waits for others who write to the inbox: less than the portal waits."""
SWITCH_SECONDS = 0.0005
"""How long a thread keeps Python's lock: requests want their answer in milliseconds."""


class ReceiverError(Exception):
    """The receiver cannot be started; the message is one sentence."""


def secrets(settings: Settings) -> list[str]:
    """The secrets that deliveries may be signed with.

    Raises:
        SettingsError: There is none: everybody's deliveries would be believed.
    """
    given = [settings.webhook_secret, settings.webhook_secret_previous]
    known = [secret.get_secret_value() for secret in given if secret is not None]
    if settings.webhook_secret is None or not all(known):
        raise SettingsError(
            "The receiver needs PF_WEBHOOK_SECRET, the secret that the portal signs deliveries "
            "with: set it."
        )
    return known


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        ReceiverError: The port is taken, or may not be listened on.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG_OF_CONNECTIONS)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReceiverError(f"The receiver cannot listen on {host}:{port}: {reason}.") from None
    try:
        yield listener
    finally:
        listener.close()


def serve(
    settings: Settings,
    listener: socket.socket,
    on_loaded: Callable[[LoadedBatch], None],
) -> bool:
    """Serve until a signal comes: then answer what is stored, and finish the batch in the CRM.

    A second signal ends the process at once, which loses nothing either: what was acknowledged is
    in the inbox.

    Args:
        settings: Where the inbox and the CRM are, and the secrets.
        listener: Where to listen, from :func:`listening`.
        on_loaded: Told of each batch in the CRM; must return at once.

    Returns:
        Whether the loader's last batch ended in time.

    Raises:
        SettingsError: There is no secret.
    """
    verifier, metrics = Verifier(secrets(settings)), Metrics()
    inboxes = [Inbox(settings.data_dir, patience=WRITER_PATIENCE_SECONDS) for _ in range(2)]
    loader = LoaderProcess(settings, metrics, on_loaded)
    commits = GroupCommit(inboxes[0], metrics, loader.tell_news)
    watch = Watch(inboxes[1], commits, loader, metrics)
    server = _Server(_config(create_app(Deliveries(verifier, commits, metrics), watch)))
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what was imported stays: looking through it all would hold up requests
    with _ending_at_once_on_signals():
        loader.start()
        log.info("the receiver listens", extra=fields(address=address_of(listener)))
        server.run(sockets=[listener])
        log.info("the receiver stops; the last batch is loaded")
        commits.close()
        ended = loader.stop(LAST_BATCH_SECONDS)
        for inbox in inboxes:
            inbox.close()
        gc.unfreeze()
        log.info("the receiver has stopped", extra=fields(last_batch_loaded=ended))
    return ended


def address_of(listener: socket.socket) -> str:
    """Where one can reach a listening socket from this machine."""
    host, port = listener.getsockname()[:2]
    address = ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IPv4
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(Server):
    """Uvicorn's server, of which a first signal is a wish and a second one an order."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop accepting; or end."""
        if self.should_exit:
            _end_at_once(sig, frame)
        self.should_exit = True


def _config(app: object) -> Config:
    return Config(
        app,  # type: ignore[arg-type]
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        log_config=None,
        access_log=False,
        backlog=BACKLOG_OF_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )


@contextmanager
def _ending_at_once_on_signals() -> Iterator[None]:
    """Whatever stands around the web server's own handlers: a signal while the loader ends."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _end_at_once) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(1)
