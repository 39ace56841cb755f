"""What each request is answered, and what is left behind."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline_tests.receiver.builders import envelope, guide_lead, sign
from pf_pipeline_tests.receiver.running import Receiver, log_lines

KIBIBYTE = 1024


def test_a_delivery_is_stored_before_it_is_acknowledged(receiver: Receiver) -> None:
    body = envelope(1)
    assert receiver.post(body).status == 202
    (found,) = [one for one in receiver.inbox.after(0, 1_000) if one.body == body]
    assert found.delivery_id.startswith("evt-1:")


def test_a_repetition_is_acknowledged_and_counted(receiver: Receiver) -> None:
    body = envelope(2)
    before = receiver.inbox.counts()
    answers = [receiver.post(body) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 202]
    after = receiver.inbox.counts()
    assert (after.stored - before.stored, after.repeats - before.repeats) == (1, 2)


def test_both_forms_of_a_body_come_into_the_crm(receiver: Receiver) -> None:
    alone, listed = json.dumps(guide_lead(1)), json.dumps({"data": [guide_lead(2), guide_lead(3)]})
    for body in (envelope(3), alone.encode(), listed.encode()):
        assert receiver.post(body).status == 202
    receiver.wait_until_loaded()
    rows = receiver.crm_rows(
        "SELECT lead_id FROM leads WHERE lead_id LIKE 'guide-%' OR lead_id = 'lead-3' ORDER BY 1"
    )
    assert [lead for (lead,) in rows] == ["guide-1", "guide-2", "guide-3", "lead-3"]


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe\x00", b"[[[", b'{"id": 1}', b"null"])
def test_what_is_signed_is_kept_even_if_it_makes_no_sense(receiver: Receiver, body: bytes) -> None:
    assert receiver.post(body).status == 202
    assert body in [found.body for found in receiver.inbox.after(0, 1_000)]


def test_what_makes_no_sense_is_rejected_with_a_reason(receiver: Receiver) -> None:
    receiver.post(b"no json either")
    receiver.wait_until_loaded()
    found = receiver.crm_rows(
        "SELECT reason FROM rejected_leads WHERE received_from = 'webhook' "
        "AND raw LIKE '%no json either%'"
    )
    assert len(found) == 1


@pytest.mark.parametrize(("size", "status"), [(64 * KIBIBYTE, 202), (64 * KIBIBYTE + 1, 413)])
def test_the_largest_body(receiver: Receiver, size: int, status: int) -> None:
    assert receiver.post(b"x" * size).status == status


@pytest.mark.parametrize(("pieces", "status"), [(16, 202), (17, 413), (64, 413)])
def test_the_largest_body_in_pieces_without_a_length(
    receiver: Receiver, pieces: int, status: int
) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(pieces):
            yield b"y" * 4 * KIBIBYTE

    signature = sign(b"y" * 4 * KIBIBYTE * pieces)
    answer = receiver.ask("POST", WEBHOOK_PATH, body(), {"X-Signature": signature})
    assert answer.status == status


def test_a_size_that_is_only_claimed_is_answered_at_once(receiver: Receiver) -> None:
    head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60)) as line:
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: 1e3",
        "Content-Length: 0x10",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: rot13",
        "no colon at all",
    ],
)
def test_a_head_that_cannot_be_trusted_is_refused(receiver: Receiver, head: str) -> None:
    before = receiver.inbox.last_number
    request = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nhello"
    with closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60)) as line:
        line.sendall(request.encode())
        assert line.recv(100)[9:12] in {b"400", b"401"}
    assert receiver.inbox.last_number == before


def test_a_client_that_goes_away_leaves_nothing(receiver: Receiver) -> None:
    body = envelope(4)
    head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: x\r\nX-Signature: {sign(body)}\r\n"
    before = receiver.inbox.last_number
    with closing(socket.create_connection(("127.0.0.1", receiver.port), timeout=60)) as line:
        line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-1])
    assert receiver.ask("GET", "/healthz").status == 200
    assert receiver.inbox.last_number == before


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROB"])
def test_the_path_is_only_posted_to(receiver: Receiver, method: str) -> None:
    assert receiver.ask(method, WEBHOOK_PATH).status in {400, 405}


@pytest.mark.parametrize("path", ["/", f"{WEBHOOK_PATH}/", "/webhooks", "/docs", "/%00", "//"])
def test_there_is_nothing_else(receiver: Receiver, path: str) -> None:
    assert receiver.ask("POST", path, envelope(5), {"X-Signature": sign(envelope(5))}).status == 404


def test_a_receiver_that_is_well_is_ready(receiver: Receiver) -> None:
    receiver.wait_until_loaded()
    answer = receiver.ask("GET", "/readyz")
    assert answer.status == 200
    assert answer.json() == {"ready": True, "reasons": []}


def test_every_acknowledgement_is_measured(receiver: Receiver) -> None:
    def counted() -> float:
        return receiver.metric("pf_webhook_acknowledgement_seconds_count")

    before = counted()
    receiver.post(envelope(6))
    receiver.post(envelope(6))
    receiver.post(envelope(6), "0" * 64)
    assert counted() == before + 2


def test_nobody_learns_what_serves(receiver: Receiver) -> None:
    for answer in (receiver.post(envelope(7)), receiver.ask("GET", "/healthz")):
        assert "server" not in {name.lower() for name in answer.headers}


def test_logs_say_nothing_of_deliveries(receiver: Receiver) -> None:
    body = json.dumps({**guide_lead(9), "name": "Somebody Private", "phone": "+971509998877"})
    receiver.post(body.encode())
    receiver.post(body.encode(), sign(b"other"))
    receiver.wait_until_loaded()
    text = json.dumps(log_lines(receiver))
    assert "the receiver listens" in text
    for private in ("Somebody", "9998877", "guide-9", sign(b"other"), sign(body.encode())):
        assert private not in text
