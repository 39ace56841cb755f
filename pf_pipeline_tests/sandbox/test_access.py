import http.client
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.access import SlidingWindow
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc

NOW = utc("2026-01-10T08:00:00")


def test_a_minted_token_opens_the_api(client: Client) -> None:
    assert client.get("/v1/leads", token=client.mint()).status_code == 200


def test_minting_answers_as_the_contract_says(client: Client) -> None:
    body = {"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}
    answer = client.post("/v1/auth/token", json=body)
    assert answer.status_code == 200
    minted = answer.json()
    assert minted["accessToken"].count(".") == 2
    assert minted["tokenType"] == "Bearer"
    assert minted["expiresIn"] == 1800


def test_every_minted_token_is_another_one(client: Client) -> None:
    assert client.mint() != client.mint()


@pytest.mark.parametrize(
    "body",
    [
        {"apiKey": "sandbox-key", "apiSecret": "wrong"},
        {"apiKey": "wrong", "apiSecret": "sandbox-secret"},
    ],
)
def test_a_wrong_pair_is_refused(client: Client, body: dict[str, str]) -> None:
    answer = client.post("/v1/auth/token", json=body)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "AUTHENTICATION"


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"apiKey": "sandbox-key"}', b"\xff"])
def test_an_unreadable_token_request_is_a_problem(client: Client, body: bytes) -> None:
    answer = client.post("/v1/auth/token", data=body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "SCHEMA_VALIDATION"


@pytest.mark.parametrize("token", [None, "", "wrong", "a.b.c", "sandbox-token2", "é"])
@pytest.mark.parametrize("path", ["/v1/leads", "/v1/users", "/v1/listings", "/v1/nothing"])
def test_the_api_is_closed_without_a_good_token(
    client: Client, path: str, token: str | None
) -> None:
    answer = client.get(path, token=token)
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "AUTHENTICATION"


def test_a_token_with_changed_claims_is_refused(client: Client) -> None:
    header, claims, signature = client.mint().split(".")
    changed = claims.swapcase()
    assert client.get("/v1/leads", token=f"{header}.{changed}.{signature}").status_code == 401


def test_a_token_expires_after_thirty_minutes() -> None:
    clock = Clock(NOW)
    with client_of(SandboxOptions(clock=clock)) as client:
        token = client.mint()
        clock.now = NOW + timedelta(minutes=29, seconds=59)
        assert client.get("/v1/users", token=token).status_code == 200
        clock.now = NOW + timedelta(minutes=30)
        assert client.get("/v1/users", token=token).status_code == 401


def test_the_static_token_never_expires() -> None:
    clock = Clock(NOW)
    with client_of(SandboxOptions(clock=clock, api_token="forever")) as client:
        clock.now = NOW + timedelta(days=500)
        assert client.get("/v1/users", token="forever").status_code == 200


def test_requests_above_the_limit_are_refused() -> None:
    with client_of(SandboxOptions(clock=Clock(NOW), requests_per_minute=3)) as client:
        answers = [client.get("/v1/users") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].headers["Content-Type"] == "application/problem+json"
    assert answers[3].json()["type"] == "RATE_LIMIT"
    assert "Retry-After" not in answers[3].headers


def test_provoked_refusals_are_counted() -> None:
    with client_of(SandboxOptions(clock=Clock(NOW), requests_per_minute=3)) as client:
        for _ in range(5):
            client.get("/v1/users")
        stats = client.sandbox.stats()
    assert stats["limited"] == 2
    assert stats["statuses"] == {"200": 3, "429": 2}


def test_a_key_without_the_scope_cannot_read_leads() -> None:
    with client_of(SandboxOptions(clock=Clock(NOW), leads_scope=False)) as client:
        answers = [client.get("/v1/leads", token=client.mint()) for _ in range(2)]
        others = [client.get(path) for path in ("/v1/users", "/v1/listings")]
        closed = client.get("/v1/leads", token="wrong")
        stats = client.sandbox.stats()
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].headers["Content-Type"] == "application/problem+json"
    assert answers[0].json()["type"] == "AUTHORIZATION"
    assert "leads:read" in answers[0].json()["detail"]
    assert [answer.status_code for answer in others] == [200, 200]
    assert closed.status_code == 401
    assert stats["leads_pages"] == 0


def test_tokens_have_a_limit_of_their_own() -> None:
    body = {"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}
    with client_of(SandboxOptions(clock=Clock(NOW), requests_per_minute=1)) as client:
        statuses = [client.post("/v1/auth/token", json=body).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        assert client.get("/v1/users").status_code == 200


def test_without_a_limit_everything_is_admitted(client: Client) -> None:
    assert {client.get("/v1/users", perPage=1).status_code for _ in range(70)} == {200}


def test_a_window_admits_again_after_a_minute() -> None:
    seconds = iter([0.0, 30.0, 59.9, 60.0, 60.1, 90.0])
    window = SlidingWindow(2, lambda: next(seconds))
    assert [window.admits() for _ in range(6)] == [True, True, False, True, False, True]


def test_a_request_without_user_agent_is_stopped_by_the_front(client: Client) -> None:
    address = urlsplit(client.sandbox.base_url).netloc
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", "/v1/leads", headers={"Authorization": "Bearer sandbox-token"})
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    assert answer.status == 403
    assert answer.getheader("Content-Type", "").startswith("text/html")
