"""Connections that nobody can keep busy for nothing: a request comes in time and in bounds.

Belongs here: what the web server does not bound by itself. Bodies are bounded where they are read.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_SECONDS = 10.0
"""How long a request may take from its first byte to its last, and a connection to its first."""
HEAD_BYTES = 32 * 1024
"""How long a request's first line and headers may be together."""

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\n"
HEAD_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
NOTHING_MORE = b"connection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, with an end to requests that drip, and to headers that never end.

    A request that comes in one piece, as nearly all do, costs no timer.
    """

    _in_request = False
    _in_head = False
    _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, though not for ever."""
        super().connection_made(transport)
        self._in_request = True
        self._keep_patience()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._in_request = False
        self._keep_patience()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and see whether the request is whole."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(HEAD_TOO_LONG)
        self._keep_patience()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_request = self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body follows."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole."""
        self._in_request = False
        super().on_message_complete()

    def _keep_patience(self) -> None:
        if self._in_request and self._patience is None:
            self._patience = self.loop.call_later(REQUEST_SECONDS, self._lose_patience)
        elif not self._in_request and self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        self._refuse(TIMED_OUT)

    def _refuse(self, status_line: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(status_line + NOTHING_MORE)
        self.transport.close()
