"""``/v1/webhooks``: what it accepts, lists and removes."""

from datetime import datetime

import pytest

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.subscriptions import is_callback
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc

EVENTS = ("lead.created", "lead.updated", "lead.assigned")
URL = "http://127.0.0.1:9/webhooks/property-finder"
STILL = SandboxOptions(clock=Clock(utc("2026-01-14T10:20:30")))
SECRET = "0123456789abcdef0123456789abcdef"


def listed(client: Client) -> list[dict[str, str]]:
    answer = client.get("/v1/webhooks")
    assert answer.status_code == 200
    records: list[dict[str, str]] = answer.json()["data"]
    return records


def test_a_subscription_comes_back_as_the_live_service_gives_it() -> None:
    with client_of(STILL) as client:
        answers = client.subscribe(URL, *EVENTS, secret=SECRET)
        assert [answer.status_code for answer in answers] == [201, 201, 201]
        records = [answer.json() for answer in answers]
        assert listed(client) == records
    for event, record in zip(EVENTS, records, strict=True):
        assert record.keys() == {"eventId", "url", "createdAt"}
        assert record["eventId"].startswith(f"{event}_")
        assert record["url"] == URL
        with pytest.raises(ValueError, match="isoformat"):
            datetime.fromisoformat(record["createdAt"])


def test_nothing_tells_the_secret() -> None:
    with client_of(STILL) as client:
        answers = client.subscribe(URL, "lead.created", secret=SECRET)
        told = answers[0].text + client.get("/v1/webhooks").text
        told += client.get("/sandbox/stats").text
    assert SECRET not in told
    assert SECRET not in repr(SandboxOptions(webhook_secret=SECRET))


def test_the_same_event_and_address_again_is_a_conflict() -> None:
    with client_of(STILL) as client:
        client.subscribe(URL, "lead.created")
        (again,) = client.subscribe(URL, "lead.created", secret="other")
        assert (again.status_code, again.json()["type"]) == (409, "CONFLICT")
        (elsewhere,) = client.subscribe(f"{URL}?second", "lead.created")
        assert elsewhere.status_code == 201
        assert len(listed(client)) == 2


def test_a_subscription_is_removed_by_the_id_that_came_back() -> None:
    with client_of(STILL) as client:
        client.subscribe(URL, *EVENTS)
        first, *others = listed(client)
        removed = client.unsubscribe(first["eventId"])
        assert (removed.status_code, removed.content) == (204, b"")
        assert listed(client) == others
        assert client.unsubscribe(first["eventId"]).status_code == 404


def test_the_bare_event_removes_all_its_subscriptions() -> None:
    with client_of(STILL) as client:
        client.subscribe(URL, *EVENTS)
        client.subscribe(f"{URL}?second", "lead.created")
        assert client.unsubscribe("lead.created").status_code == 204
        assert {record["eventId"].partition("_")[0] for record in listed(client)} == set(EVENTS[1:])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], "/body"),
        ({"callbackUrl": URL}, "/body/eventId"),
        ({"eventId": "lead.vanished", "callbackUrl": URL}, "/body/eventId"),
        ({"eventId": "lead.created"}, "/body/callbackUrl"),
        ({"eventId": "lead.created", "callbackUrl": 5}, "/body/callbackUrl"),
        ({"eventId": "lead.created", "callbackUrl": URL, "secret": SECRET + "x"}, "/body/secret"),
        ({"eventId": "lead.created", "callbackUrl": URL, "secret": ""}, "/body/secret"),
        ({"eventId": "lead.created", "callbackUrl": URL, "secret": 5}, "/body/secret"),
    ],
)
def test_what_is_wrong_is_named(body: object, pointer: str) -> None:
    with client_of(STILL) as client:
        answer = client.post(
            "/v1/webhooks", json=body, headers={"Authorization": "Bearer sandbox-token"}
        )
        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert listed(client) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8650/webhooks/property-finder",
        "http://localhost/",
        "http://[::1]:8650/x?y=z",
        "http://127.1.2.3:1",
    ],
)
def test_addresses_of_this_machine_are_taken(url: str) -> None:
    assert is_callback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/webhooks/property-finder",
        "http://example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0:8650/",
        "http://127.0.0.1@example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1:999999/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX-Other: header",
        "https://127.0.0.1/",
        "ftp://127.0.0.1/",
        "127.0.0.1:8650",
        "http://[::1/",
        "",
    ],
)
def test_a_sandbox_never_calls_out(url: str) -> None:
    assert not is_callback(url)
    with client_of(STILL) as client:
        (answer,) = client.subscribe(url, "lead.created")
        assert answer.status_code == 400
        assert "on this machine" in answer.json()["detail"]


def test_subscriptions_need_a_token_and_the_scope_of_leads() -> None:
    with client_of(STILL) as client:
        assert client.subscribe(URL, "lead.created", token="wrong")[0].status_code == 401
        assert client.get("/v1/webhooks", token=None).status_code == 401
    with client_of(SandboxOptions(leads_scope=False)) as client:
        assert client.subscribe(URL, "lead.created")[0].status_code == 403
        assert client.get("/v1/webhooks").status_code == 403
