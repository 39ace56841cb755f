"""Subscriptions at the portal: read leniently, matched by prefix, secrets never told."""

import json
import logging

import pytest

from pf_pipeline.portal import (
    LEAD_EVENTS,
    PermanentPortalError,
    PortalClient,
    PortalDataError,
    StaticToken,
    Subscription,
    Subscriptions,
    TransientPortalError,
    same_address,
)
from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline.sandbox.faults import FaultLevel
from pf_pipeline_tests.portal.conftest import TOKEN, MakeClient
from pf_pipeline_tests.portal.scripted import ScriptedPortal, raw, reply

URL = "https://crm.example.com/webhooks/property-finder"
SECRET = "correct-horse-battery-staple"  # nothing that is hidden as a phone number
SUFFIXED = {
    "eventId": "lead.created_3f2b1c9e-6a3f-4d0e-9a61-0d1f4f1c7e55",
    "url": URL,
    "createdAt": "2026-01-14 10:20:30.123 +0000 UTC",
}


@pytest.fixture
def subscriptions(client: PortalClient) -> Subscriptions:
    return Subscriptions(client)


@pytest.mark.parametrize(
    "body",
    [
        [SUFFIXED],
        {"data": [SUFFIXED], "pagination": {}},
        {"results": [SUFFIXED]},
        {"webhooks": [SUFFIXED]},
        {"data": [SUFFIXED, None, "text", {}, {"eventId": 5, "url": URL}, {"eventId": "x"}]},
    ],
)
def test_the_list_is_read_whatever_stands_around_it(
    portal: ScriptedPortal, subscriptions: Subscriptions, body: object
) -> None:
    portal.plays(reply(body))
    assert subscriptions.listed() == [Subscription(SUFFIXED["eventId"], URL, SUFFIXED["createdAt"])]
    (request,) = portal.requests
    assert (request.method, request.path) == ("GET", "/v1/webhooks")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("body", [None, [], {"data": None}, {"data": []}])
def test_nobody_may_be_subscribed(
    portal: ScriptedPortal, subscriptions: Subscriptions, body: object
) -> None:
    portal.plays(reply(body))
    assert subscriptions.listed() == []


@pytest.mark.parametrize("body", [{}, "text", {"data": {"eventId": "lead.created"}}, 5])
def test_what_is_no_list_is_not_taken_for_an_empty_one(
    portal: ScriptedPortal, subscriptions: Subscriptions, body: object
) -> None:
    portal.plays(reply(body))
    with pytest.raises(PortalDataError, match="without a list of subscriptions"):
        subscriptions.listed()


@pytest.mark.parametrize(
    ("event_id", "event"),
    [
        ("lead.created", "lead.created"),
        ("lead.created_3f2b1c9e", "lead.created"),
        ("lead.assigned_", "lead.assigned"),
        ("lead.createdness", None),
        ("lead.created.v2", None),
        ("listing.published_3f2b", None),
        ("Lead.Created", None),
        ("", None),
    ],
)
def test_events_are_known_by_their_beginning(event_id: str, event: str | None) -> None:
    assert Subscription(event_id, URL).lead_event == event


def test_a_subscription_is_sent_as_the_contract_wants_it(
    portal: ScriptedPortal, subscriptions: Subscriptions
) -> None:
    portal.plays(reply(SUFFIXED, status=201))
    assert subscriptions.add("lead.created", URL, SECRET)
    (request,) = portal.requests
    assert (request.method, request.path) == ("POST", "/v1/webhooks")
    assert json.loads(request.body) == {
        "eventId": "lead.created", "callbackUrl": URL, "secret": SECRET
    }  # fmt: skip


def test_a_conflict_means_that_it_is_there(
    portal: ScriptedPortal, subscriptions: Subscriptions
) -> None:
    portal.plays(reply({"title": "Conflict", "type": "CONFLICT"}, status=409))
    assert not subscriptions.add("lead.created", URL, SECRET)


def test_the_whole_id_removes_and_what_is_gone_is_removed(
    portal: ScriptedPortal, subscriptions: Subscriptions
) -> None:
    portal.plays(raw(b"", status=204), reply({"title": "Not Found"}, status=404))
    subscriptions.remove(Subscription("lead.created_a/b?c", URL))
    subscriptions.remove(Subscription("lead.created_d", URL))
    assert [(request.method, request.target) for request in portal.requests] == [
        ("DELETE", "/v1/webhooks/lead.created_a%2Fb%3Fc"),
        ("DELETE", "/v1/webhooks/lead.created_d"),
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_ends_at_once_and_does_not_quote_the_secret(
    portal: ScriptedPortal, subscriptions: Subscriptions, status: int
) -> None:
    portal.plays(
        reply({"title": "Bad", "detail": f"secret {SECRET}, token {TOKEN}"}, status=status)
    )
    with pytest.raises(PermanentPortalError) as caught:
        subscriptions.add("lead.created", URL, SECRET)
    assert caught.value.status == status
    assert SECRET not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert len(portal.requests) == 1


def test_failures_that_may_pass_are_tried_again(
    portal: ScriptedPortal,
    subscriptions: Subscriptions,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    portal.plays(reply({}, status=503), reply({}, status=429), reply(SUFFIXED, status=201))
    with caplog.at_level(logging.DEBUG):
        assert subscriptions.add("lead.created", URL, SECRET)
    assert len(waits) == 2
    assert SECRET not in caplog.text


def test_they_are_given_up_in_the_end(portal: ScriptedPortal, subscriptions: Subscriptions) -> None:
    portal.plays(reply({}, status=503))
    with pytest.raises(TransientPortalError, match="gave up after 3 attempts"):
        subscriptions.remove(Subscription("lead.created", URL))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, URL, True),
        (URL, f"{URL}/", True),
        (URL, URL.replace("crm.example", "CRM.Example"), True),
        (URL, URL.replace("property", "Property"), False),
        (URL, URL.replace("https", "http"), False),
        (URL, f"{URL}?tenant=2", False),
        ("http://[::1", URL, False),
        ("http://[::1", "http://[::1", True),
    ],
)
def test_addresses_are_compared_as_addresses(one: str, other: str, *, same: bool) -> None:
    assert same_address(one, other) is same


@pytest.mark.parametrize("faults", ["none", "rough", "hostile"])
def test_the_sandbox_is_subscribed_to_and_left_again(
    make_client: MakeClient, faults: FaultLevel
) -> None:
    here = "http://127.0.0.1:9/webhooks/property-finder"
    options = SandboxOptions(leads_per_day=1, faults=faults)
    with running_sandbox(options) as sandbox:
        client = make_client(StaticToken("sandbox-token"), url=sandbox.base_url, attempts=6)
        subscriptions = Subscriptions(client)
        assert subscriptions.listed() == []
        for event in LEAD_EVENTS:
            assert subscriptions.add(event, here, SECRET)
            assert not subscriptions.add(event, here, SECRET)
        listed = subscriptions.listed()
        assert [one.lead_event for one in listed] == [*LEAD_EVENTS]
        for one in listed:
            subscriptions.remove(one)
            subscriptions.remove(one)
        assert subscriptions.listed() == []
