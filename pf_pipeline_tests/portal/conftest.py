from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from pf_pipeline.portal import Dialect, PortalClient, StaticToken, TokenSource
from pf_pipeline.portal.transport import utc_now
from pf_pipeline_tests.portal.scripted import ScriptedPortal, scripted_portal

TOKEN = "token-that-nobody-may-see"

MakeClient = Callable[..., PortalClient]


@pytest.fixture
def portal() -> Iterator[ScriptedPortal]:
    with scripted_portal() as portal:
        yield portal


@pytest.fixture
def waits() -> list[float]:
    """The seconds that clients wanted to wait before another attempt."""
    return []


@pytest.fixture
def make_client(portal: ScriptedPortal, waits: list[float]) -> Iterator[MakeClient]:
    clients: list[PortalClient] = []

    def make(
        tokens: TokenSource | None = None,
        *,
        url: str = "",
        dialect: Dialect = "guide",
        timeout_seconds: float = 5.0,
        attempts: int = 3,
        parallel: int = 1,
        now: Callable[[], datetime] = utc_now,
    ) -> PortalClient:
        client = PortalClient(
            url or portal.url,
            tokens or StaticToken(TOKEN),
            dialect=dialect,
            timeout_seconds=timeout_seconds,
            attempts=attempts,
            parallel=parallel,
            clock=now,
            sleep=waits.append,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> PortalClient:
    return make_client()
