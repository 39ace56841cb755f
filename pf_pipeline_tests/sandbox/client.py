"""What the sandbox's tests share: a client that speaks real HTTP, and a clock to turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests

from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox

TIMEOUT_SECONDS = 10
SANDBOX_TOKEN = "sandbox-token"

Parameter = str | int | list[str]


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Client:
    """Talks to one sandbox, with a good token unless told otherwise."""

    def __init__(self, sandbox: RunningSandbox, session: requests.Session) -> None:
        self.sandbox = sandbox
        self.session = session

    def get(
        self, path: str, *, token: str | None = SANDBOX_TOKEN, **parameters: Parameter
    ) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.session.get(
            self.sandbox.base_url + path,
            params=parameters,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
        )

    def post(
        self,
        path: str,
        *,
        json: object = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        return self.session.post(
            self.sandbox.base_url + path,
            json=json,
            data=data,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
        )

    def subscribe(
        self, url: str, *events: str, secret: str | None = None, token: str = SANDBOX_TOKEN
    ) -> list[requests.Response]:
        """Subscribe an address to events; one answer for each."""
        signed = {} if secret is None else {"secret": secret}
        return [
            self.post(
                "/v1/webhooks",
                json={"eventId": event, "callbackUrl": url, **signed},
                headers={"Authorization": f"Bearer {token}"},
            )
            for event in events
        ]

    def unsubscribe(self, event_id: str) -> requests.Response:
        return self.session.delete(
            f"{self.sandbox.base_url}/v1/webhooks/{event_id}",
            headers={"Authorization": f"Bearer {SANDBOX_TOKEN}"},
            timeout=TIMEOUT_SECONDS,
        )

    def mint(self) -> str:
        body = {"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}
        return str(self.post("/v1/auth/token", json=body).json()["accessToken"])

    def leads(self, **parameters: Parameter) -> list[Any]:
        """The records of all pages, in the order in which they were served."""
        records: list[Any] = []
        page = 1
        while True:
            answer = self.get("/v1/leads", token=SANDBOX_TOKEN, page=page, **parameters)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            records += body["data"]
            if page >= body["pagination"]["totalPages"]:
                return records
            page += 1


@contextmanager
def client_of(options: SandboxOptions) -> Iterator[Client]:
    """A client of a sandbox that runs as long as the block."""
    with running_sandbox(options) as sandbox, requests.Session() as session:
        yield Client(sandbox, session)


def utc(text: str) -> datetime:
    """An instant in UTC, from ISO text without an offset."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
