"""A small webhook receiver on loopback: records what is posted to it, and answers as told."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

SECONDS = 30.0


@dataclass(frozen=True)
class Delivery:
    """One request, exactly as received.

    Attributes:
        path: Path and query.
        headers: Names in lower case.
        body: The raw bytes.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def payload(self) -> Any:  # noqa: ANN401 - whatever was posted
        return json.loads(self.body)


class Receiver:
    """What was posted so far, in the order of arrival.

    Attributes:
        url: Where to post.
        deliveries: The requests.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.deliveries: list[Delivery] = []

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until something is so, and no longer than a test may take."""
        deadline = monotonic() + SECONDS
        while not condition():
            assert monotonic() < deadline, f"{len(self.deliveries)} deliveries came"
            sleep(0.01)


Answer = Callable[[Delivery, int], int]
"""The status for a delivery; the number says how often its body came before."""


def accept(_delivery: Delivery, _earlier: int) -> int:
    return 202


@contextmanager
def receiving(answer: Answer = accept) -> Iterator[Receiver]:
    """A receiver that listens for the length of a ``with`` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            delivery = Delivery(self.path, headers, body)
            earlier = receiver.bodies.count(body)
            receiver.deliveries.append(delivery)
            status = answer(delivery, earlier)
            try:
                self.send_response(status)
                if status in range(300, 400):
                    self.send_header("Location", f"{receiver.url}?redirected")
                self.end_headers()
                self.wfile.flush()
            except OSError:  # the sandbox does not wait for ever
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}/webhooks/property-finder")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
