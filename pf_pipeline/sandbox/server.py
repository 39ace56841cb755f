"""Serving a sandbox: for as long as somebody watches, or beside a test.

Belongs here: the web server around the application, starting it and stopping it.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread
from time import monotonic, sleep
from typing import Final

from starlette.applications import Starlette
from uvicorn import Config, Server

from pf_pipeline.sandbox.app import create_app
from pf_pipeline.sandbox.connections import ResettableProtocol
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.traffic import Stats, StatsSnapshot

_START_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers.

    Attributes:
        base_url: Its address, without a trailing slash: the value of ``PF_API_BASE_URL``.
    """

    base_url: str
    _stats: Stats

    def stats(self) -> StatsSnapshot:
        """What it was asked so far, the same as ``GET /sandbox/stats``."""
        return self._stats.snapshot()


def serve(options: SandboxOptions, host: str, port: int) -> None:
    """Serve a sandbox until it is interrupted, after saying on stdout how to use it.

    Args:
        options: How the sandbox behaves.
        host: The address to listen on.
        port: The port to listen on; 0 means any free one.

    Raises:
        OSError: The port is taken or may not be listened on.
    """
    with closing(socket.create_server((host, port))) as listener:
        sys.stdout.write(_how_to_use(options, _base_url(listener)))
        sys.stdout.flush()
        # An interrupt is how a person stops it: no reason for a traceback.
        with suppress(KeyboardInterrupt):
            _server(create_app(options), _links_base(options, listener)).run(sockets=[listener])


@contextmanager
def running_sandbox(options: SandboxOptions, port: int = 0) -> Iterator[RunningSandbox]:
    """Run a sandbox in a thread of this process for the length of a ``with`` block.

    Args:
        options: How the sandbox behaves.
        port: The port of this machine to listen on; 0 means any free one.

    Yields:
        The sandbox, which answers from now on.

    Raises:
        OSError: The port is taken or may not be listened on.
    """
    app = create_app(options)
    with closing(socket.create_server(("127.0.0.1", port))) as listener:
        server = _server(app, _links_base(options, listener))
        thread = Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
        )
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield RunningSandbox(_base_url(listener), app.state.stats)
        finally:
            server.should_exit = True
            thread.join()


class _SandboxServer(Server):
    """Uvicorn's server; when it stops, nobody is made to wait, and nothing posted, any more."""

    def __init__(self, config: Config, app: Starlette, links_base: str) -> None:
        super().__init__(config)
        self._sandbox = app.state
        self._links_base = links_base

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer, and post to those who are subscribed from the beginning."""
        await super().startup(sockets)
        self._sandbox.deliveries.begin(self._links_base)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let waiting requests go on, then stop."""
        self._sandbox.pauses.end()
        await self._sandbox.deliveries.end()
        await super().shutdown(sockets)


def _server(app: Starlette, links_base: str) -> Server:
    return _SandboxServer(
        Config(
            app,
            http=ResettableProtocol,
            lifespan="off",
            # Requests say who they are themselves: connections are found by that.
            proxy_headers=False,
            # The sandbox has no web sockets, and importing them costs time.
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        app,
        links_base,
    )


def _wait_until_started(server: Server, thread: Thread) -> None:
    deadline = monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or monotonic() > deadline:
            raise RuntimeError("the sandbox did not start")
        sleep(0.005)


def _links_base(options: SandboxOptions, listener: socket.socket) -> str:
    """Where links in webhook events point."""
    return options.public_url or _base_url(listener)


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()
    if ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://{host}:{port}"


def _how_to_use(options: SandboxOptions, base_url: str) -> str:
    return (
        f"Sandbox portal at {base_url}; point the pipeline at it with "
        f"PF_API_BASE_URL={base_url} PF_API_KEY={options.api_key} "
        f"PF_API_SECRET={options.api_secret} (or PF_API_TOKEN={options.api_token})\n"
    )
