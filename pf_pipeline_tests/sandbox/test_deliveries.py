"""Events reach a receiver as the portal's do: signed, in parallel, out of order, at least once."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from hmac import HMAC
from threading import Barrier, BrokenBarrierError, Event

import pytest

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.deliveries import MOST_ATTEMPTS
from pf_pipeline.sandbox.options import WebhookForm
from pf_pipeline.sandbox.webhooks import WebhookEvent, webhook_events
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc
from pf_pipeline_tests.sandbox.receiver import Delivery, Receiver, receiving

EVENTS = ("lead.created", "lead.updated", "lead.assigned")
MORNING = utc("2026-01-14T06:00:00")
NOON = MORNING + timedelta(hours=6)
SECRET = "0123456789abcdef0123456789abcdef"
WORLD = SandboxOptions(
    leads_per_day=250,
    first_day=date(2026, 1, 13),
    late_share=0.1,
    leads_change=True,
    public_url="http://127.0.0.1:8640",
    webhook_retry_seconds=0.01,
)


@contextmanager
def morning(
    receiver: Receiver, options: SandboxOptions = WORLD, secret: str | None = SECRET
) -> Iterator[Client]:
    """A client whose sandbox lets six hours pass at once after somebody subscribed."""
    clock = Clock(MORNING)
    with client_of(replace(options, clock=clock)) as client:
        client.subscribe(receiver.url, *EVENTS, secret=secret)
        clock.now = NOON
        yield client


def events_of_morning(options: SandboxOptions = WORLD) -> list[WebhookEvent]:
    """What happened after the subscription; what happens at noon is included."""
    instant = timedelta(microseconds=1)
    clocked = replace(options, clock=Clock(MORNING))
    return list(webhook_events(clocked, MORNING + instant, NOON + instant))


def figures(client: Client) -> dict[str, int]:
    stats: dict[str, int] = client.get("/sandbox/stats").json()["webhooks"]
    return stats


def wait_until_settled(client: Client, receiver: Receiver, events: int) -> dict[str, int]:
    def settled() -> bool:
        seen = figures(client)
        return seen["events"] == events and seen["pending"] == 0

    receiver.wait_for(settled)
    return figures(client)


@pytest.mark.parametrize("form", ["atlas", "guide"])
def test_every_event_arrives_as_generated_and_signed(form: WebhookForm) -> None:
    options = replace(WORLD, webhook_form=form)
    expected = events_of_morning(options)
    with receiving() as receiver, morning(receiver, options) as client:
        seen = wait_until_settled(client, receiver, len(expected))
    assert set(receiver.bodies) == {event.body for event in expected}
    assert len(expected) > 50
    for delivery in receiver.deliveries:
        signature = HMAC(SECRET.encode(), delivery.body, sha256).hexdigest()
        assert delivery.headers["x-signature"] == signature
        assert delivery.headers["content-type"] == "application/json"
        assert delivery.path == "/webhooks/property-finder"
    assert seen["attempts"] == seen["acknowledged"] == len(receiver.deliveries)
    assert seen["given_up"] == seen["retried"] == 0


def test_some_are_posted_twice_although_they_were_acknowledged() -> None:
    expected = len(events_of_morning())
    with receiving() as receiver, morning(receiver) as client:
        seen = wait_until_settled(client, receiver, expected)
    times = Counter(Counter(receiver.bodies).values())
    assert times == {1: expected - seen["repeated"], 2: seen["repeated"]}
    assert 0 < seen["repeated"] < expected / 10


def test_they_arrive_out_of_order() -> None:
    with receiving() as receiver, morning(receiver) as client:
        wait_until_settled(client, receiver, len(events_of_morning()))
    latest: dict[str, str] = {}
    overtaken = 0
    for body in dict.fromkeys(receiver.bodies):  # each when it came first
        payload = json.loads(body)
        lead_id, timestamp = payload["entity"]["id"], payload["timestamp"]
        overtaken += timestamp < latest.get(lead_id, "")
        latest[lead_id] = max(timestamp, latest.get(lead_id, ""))
    assert overtaken > 0, "no older event of a lead came after a newer one"


def test_no_created_event_is_of_a_project() -> None:
    with receiving() as receiver, morning(receiver) as client:
        wait_until_settled(client, receiver, len(events_of_morning()))
    payloads = [delivery.payload for delivery in receiver.deliveries]
    of_projects = [body for body in payloads if "project" in body["payload"]]
    assert of_projects
    assert not [body for body in of_projects if body["type"] == "lead.created"]


def test_without_a_secret_nothing_is_signed() -> None:
    with receiving() as receiver, morning(receiver, secret=None):
        receiver.wait_for(lambda: len(receiver.deliveries) > 5)
    assert not [one for one in receiver.deliveries if "x-signature" in one.headers]


@pytest.mark.parametrize("refusal", [301, 307, 400, 401, 500, 503])
def test_a_delivery_is_repeated_until_it_is_acknowledged(refusal: int) -> None:
    def refuse_twice(_delivery: Delivery, earlier: int) -> int:
        return refusal if earlier < 2 else 204

    options = replace(WORLD, leads_per_day=40)
    with receiving(refuse_twice) as receiver, morning(receiver, options) as client:
        expected = len(events_of_morning(options))
        seen = wait_until_settled(client, receiver, expected)
    assert seen["retried"] == 2 * expected
    assert seen["acknowledged"] == expected + seen["repeated"]
    assert set(Counter(receiver.bodies).values()) <= {3, 4}
    assert not [one for one in receiver.deliveries if "redirected" in one.path]


def test_an_answer_that_comes_too_late_does_not_count() -> None:
    released = Event()

    def hang_once(_delivery: Delivery, earlier: int) -> int:
        if earlier == 0:
            released.wait(20)
        return 202

    options = replace(WORLD, leads_per_day=30, webhook_timeout_seconds=0.3)
    expected = len(events_of_morning(options))
    with receiving(hang_once) as receiver, morning(receiver, options) as client:
        seen = wait_until_settled(client, receiver, expected)
        released.set()
    assert seen["acknowledged"] == expected + seen["repeated"]
    assert min(Counter(receiver.bodies).values()) >= 2
    assert expected > 10


def test_a_receiver_that_is_gone_is_given_up() -> None:
    options = replace(WORLD, leads_per_day=30, webhook_retry_seconds=0.0001)
    expected = len(events_of_morning(options))
    with receiving() as receiver:
        pass
    with morning(receiver, options) as client:
        seen = wait_until_settled(client, receiver, expected)
    assert seen["given_up"] == expected > 10
    assert seen["attempts"] == MOST_ATTEMPTS * expected
    assert seen["acknowledged"] == 0


def test_a_receiver_that_comes_back_gets_everything() -> None:
    back = Event()

    def refuse(_delivery: Delivery, _earlier: int) -> int:
        return 202 if back.is_set() else 503

    options = replace(WORLD, leads_per_day=20, webhook_retry_seconds=0.05)
    expected = events_of_morning(options)
    with receiving(refuse) as receiver, morning(receiver, options) as client:
        receiver.wait_for(lambda: len(receiver.deliveries) > len(expected))
        back.set()
        seen = wait_until_settled(client, receiver, len(expected))
    assert seen["given_up"] == 0
    assert set(receiver.bodies) == {event.body for event in expected}


def test_several_are_under_way_at_the_same_time() -> None:
    meeting = Barrier(3)
    met = Event()

    def meet(_delivery: Delivery, _earlier: int) -> int:
        if not met.is_set():
            try:
                meeting.wait(10)
                met.set()
            except BrokenBarrierError:
                pass
        return 202

    options = replace(WORLD, webhook_timeout_seconds=60)  # nobody is given up for another
    with receiving(meet) as receiver, morning(receiver, options):
        assert met.wait(20)


def test_events_go_to_those_who_want_them() -> None:
    clock = Clock(MORNING)
    expected = events_of_morning()
    with (
        receiving() as first,
        receiving() as second,
        client_of(replace(WORLD, clock=clock)) as client,
    ):
        client.subscribe(first.url, "lead.created")
        client.subscribe(second.url, "lead.updated", "lead.assigned")
        clock.now = NOON
        wait_until_settled(client, first, len(expected))
    assert {one.payload["type"] for one in first.deliveries} == {"lead.created"}
    assert {one.payload["type"] for one in second.deliveries} == {"lead.updated", "lead.assigned"}


def test_who_unsubscribes_hears_no_more() -> None:
    def refuse(_delivery: Delivery, _earlier: int) -> int:
        return 500

    with receiving(refuse) as receiver, morning(receiver) as client:
        receiver.wait_for(lambda: len(receiver.deliveries) > 5)
        assert figures(client)["pending"] > 5
        for event in EVENTS:
            assert client.unsubscribe(event).status_code == 204
        receiver.wait_for(lambda: figures(client)["pending"] == 0)
        assert figures(client)["given_up"] == 0


def test_a_stop_breaks_off_deliveries() -> None:
    """It would wait for ten minutes if it did not."""
    never = Event()

    def hang(_delivery: Delivery, _earlier: int) -> int:
        never.wait(600)
        return 202

    options = replace(WORLD, webhook_timeout_seconds=600, webhook_retry_seconds=600)
    with receiving(hang) as receiver:
        with morning(receiver, options):
            receiver.wait_for(lambda: len(receiver.deliveries) > 5)
        assert not never.is_set()
        never.set()


def test_live_leads_arrive_as_they_come() -> None:
    """On the real clock, with a subscription from the beginning."""
    with receiving() as receiver:
        options = SandboxOptions(
            leads_per_day=1,
            live_per_minute=600,
            webhook_url=receiver.url,
            webhook_secret=SECRET,
        )
        with client_of(options) as client:
            receiver.wait_for(lambda: len(receiver.deliveries) > 15)
            told = {one.payload["entity"]["id"] for one in receiver.deliveries}
            polled = client.leads(createdAtFrom="2026-01-01T00:00:00Z", id=sorted(told))
            listed = client.get("/v1/webhooks").json()["data"]
    assert {record["id"] for record in polled} == told
    assert {one["eventId"].partition("_")[0] for one in listed} == set(EVENTS)
    assert all("x-signature" in one.headers for one in receiver.deliveries)
