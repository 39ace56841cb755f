"""A portal that plays a script over real HTTP: each request gets the next answer, faults included.

The last answer repeats. What each endpoint of the real portal does belongs to the sandbox room;
here a test says byte for byte what comes back.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qsl, urlsplit

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)


class ScriptedPortal:
    """Plays answers in order, and keeps the requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Received] = []
        self._answers: list[Answer] = []
        self._lock = Lock()

    def plays(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def answer_to(self, request: Received) -> Answer:
        with self._lock:
            self.requests.append(request)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def scripted_portal() -> Iterator[ScriptedPortal]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5
        disable_nagle_algorithm = True  # head and body go out at once

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            portal.answer_to(Received(self.command, self.path, self.headers, body))(self)

        do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    portal = ScriptedPortal(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield portal
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def raw(
    body: bytes, content_type: str = "application/json", status: int = 200, **headers: str
) -> Answer:
    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if content_type:
            handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return play


def reply(payload: object, status: int = 200, **headers: str) -> Answer:
    return raw(json.dumps(payload).encode(), status=status, **headers)


def problem(status: int, title: str = "Bad", detail: str = "", **headers: str) -> Answer:
    """An error as the contract has it (contract: errors)."""
    body = json.dumps({"title": title, "detail": detail, "type": "SOME_TYPE"}).encode()
    return raw(body, "application/problem+json", status, **headers)


def html(status: int = 200, **headers: str) -> Answer:
    return raw(b"<html><body>Just a moment</body></html>", "text/html", status, **headers)


def minted(token: str, expires_in: object = 1800) -> Answer:
    return reply({"accessToken": token, "tokenType": "Bearer", "expiresIn": expires_in})


def reset() -> Answer:
    """Cut the connection without a word."""

    def play(handler: BaseHTTPRequestHandler) -> None:
        linger = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
        handler.connection.close()

    return play


def reset_in_the_body(body: bytes) -> Answer:
    """Promise more bytes than are sent, and cut the connection without a word."""

    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body) + 100))
        handler.end_headers()
        handler.wfile.write(body)
        reset()(handler)

    return play


def truncated(body: bytes) -> Answer:
    """Promise more bytes than are sent."""

    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body) + 100))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return play


def drip(answer: bytes, every: float) -> Answer:
    """Send a whole answer, status line included, one byte at a time."""

    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        try:
            for byte in answer:
                handler.wfile.write(bytes([byte]))
                time.sleep(every)
        except OSError:
            return  # the client has had enough

    return play


def endless() -> Answer:
    """Send a body without end."""

    def play(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b" " * 2**20)
        except OSError:
            return  # the client has had enough

    return play
