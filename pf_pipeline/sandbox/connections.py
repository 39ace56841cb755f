"""Breaking a connection under a client's feet.

Belongs here: the one thing about a connection that the web server does not offer to applications.
"""

import asyncio
import socket
import struct
from typing import Any, Final

from starlette.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""On, with 0 seconds: closing sends RST, which the client sees as a reset."""

_open: dict[tuple[Any, Any], asyncio.Transport] = {}
"""Every open connection, by the addresses of its client and of its server."""


# The base class depends on what is installed, which the type checker cannot follow.
class ResettableProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Uvicorn's protocol, with connections that ``reset_connection`` finds."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Remember the connection."""
        super().connection_made(transport)
        _open[self.client, self.server] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _open.pop((self.client, self.server), None)
        super().connection_lost(exc)


def reset_connection(scope: Scope) -> None:
    """Reset the connection on which a request came; what was not sent yet is lost."""
    transport = _open.get((scope["client"], scope["server"]))
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
        transport.abort()
