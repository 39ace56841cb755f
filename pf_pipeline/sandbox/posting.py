"""Posting one delivery to an address on this machine.

Belongs here: an HTTP request that waits no longer than it may, and that a stop breaks off at once.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)\b")
_CHUNK: Final = 65_536


async def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float) -> int | None:
    """Post once, over a connection of its own; redirects are not followed.

    Args:
        url: Plain HTTP.
        headers: What to send besides ``Host``, ``Content-Length`` and ``Connection``.
        body: The bytes to post.
        seconds: How long the answer may take.

    Returns:
        The status of the answer; ``None`` if none came in time.
    """
    parts = urlsplit(url)
    status: int | None = None
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            writer.write(_request(url, headers, body) + body)
            await writer.drain()
            found = _STATUS.match(await reader.readline())
            status = int(found[1]) if found else None
            while await reader.read(_CHUNK):  # to the end: else the receiver sees a reset
                pass
    except (OSError, ValueError):  # refused, broken off, too late; no line at all
        pass
    finally:
        if writer is not None:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
    return status


def _request(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("ascii")
