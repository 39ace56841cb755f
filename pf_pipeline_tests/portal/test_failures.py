import logging
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from pf_pipeline.portal import (
    PermanentPortalError,
    PortalClient,
    PortalDataError,
    PortalError,
    TransientPortalError,
    transport,
)
from pf_pipeline_tests.portal.conftest import TOKEN, MakeClient
from pf_pipeline_tests.portal.samples import END, GUIDE_ANSWER, START
from pf_pipeline_tests.portal.scripted import (
    Answer,
    ScriptedPortal,
    drip,
    endless,
    html,
    problem,
    raw,
    reply,
    reset,
    truncated,
)


def failure_of(client: PortalClient) -> PortalError:
    with pytest.raises(PortalError) as caught:
        client.page(1, START, END)
    return caught.value


def is_one_sentence(error: PortalError) -> bool:
    return re.fullmatch(r"[^\n]+[^\n.]\.", str(error)) is not None and ". " not in str(error)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_asked_again(
    portal: ScriptedPortal, client: PortalClient, status: int
) -> None:
    portal.plays(problem(status), problem(status), reply(GUIDE_ANSWER))
    assert len(client.page(1, START, END).records) == 1
    assert len(portal.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [reset(), html(403), html(), raw(b'{"data": ['), truncated(b'{"data": []}'), raw(b"[]")],
    ids=["reset", "CDN page", "HTML", "broken JSON", "truncated body", "no leads"],
)
def test_a_fault_of_the_way_is_asked_again(
    portal: ScriptedPortal, client: PortalClient, fault: Answer
) -> None:
    portal.plays(fault, reply(GUIDE_ANSWER))
    assert len(client.page(1, START, END).records) == 1


def test_waits_back_off_with_full_jitter(
    portal: ScriptedPortal, make_client: MakeClient, waits: list[float]
) -> None:
    portal.plays(problem(503))
    failure_of(make_client(attempts=8))
    assert len(waits) == 7
    assert all(0 <= wait <= min(2 ** (n + 1), 60) for n, wait in enumerate(waits))
    assert len(set(waits)) == 7


def test_retry_after_in_seconds_is_honoured(
    portal: ScriptedPortal, client: PortalClient, waits: list[float]
) -> None:
    portal.plays(problem(429, Retry_After="7"), reply(GUIDE_ANSWER))
    client.page(1, START, END)
    assert 7 <= waits[0] <= 9


def test_retry_after_as_a_date_is_honoured(
    portal: ScriptedPortal, client: PortalClient, waits: list[float]
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    portal.plays(problem(503, Retry_After=date), reply(GUIDE_ANSWER))
    client.page(1, START, END)
    assert 28 <= waits[0] <= 32


def test_retry_after_is_capped(
    portal: ScriptedPortal, client: PortalClient, waits: list[float]
) -> None:
    portal.plays(problem(503, Retry_After="86400"), reply(GUIDE_ANSWER))
    client.page(1, START, END)
    assert 120 <= waits[0] <= 122


@pytest.mark.parametrize("nonsense", ["soon", "-5", "Fri, 99 Dec 2025 10:00:00 GMT", ""])
def test_a_retry_after_that_makes_no_sense_is_ignored(
    portal: ScriptedPortal, client: PortalClient, waits: list[float], nonsense: str
) -> None:
    portal.plays(problem(503, Retry_After=nonsense), reply(GUIDE_ANSWER))
    client.page(1, START, END)
    assert waits[0] <= 2


def test_used_up_attempts_are_one_transient_sentence(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(problem(503))
    error = failure_of(client)
    assert isinstance(error, TransientPortalError)
    assert is_one_sentence(error)
    assert "/v1/leads answered HTTP 503 (Service Unavailable)" in str(error)
    assert "gave up after 3 attempts" in str(error)


def test_a_dead_port_cannot_be_reached(make_client: MakeClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = failure_of(make_client(url=f"http://127.0.0.1:{port}"))
    assert isinstance(error, TransientPortalError)
    assert is_one_sentence(error)
    assert f"127.0.0.1:{port}/v1/leads cannot be reached" in str(error)


def test_a_cut_connection_is_transient(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reset())
    error = failure_of(client)
    assert isinstance(error, TransientPortalError)
    assert "closed the connection" in str(error)


def test_a_403_in_json_names_the_missing_scope_at_once(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(problem(403, "Forbidden", "Not allowed."))
    error = failure_of(client)
    assert isinstance(error, PermanentPortalError)
    assert "leads:read" in str(error)
    assert len(portal.requests) == 1


def test_a_403_in_html_is_the_cdn_and_not_the_key(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(html(403))
    error = failure_of(client)
    assert isinstance(error, TransientPortalError)
    assert "CDN" in str(error)


def test_a_bad_request_is_permanent_and_quotes_the_portal(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(problem(400, "Bad Request", "perPage must not\nexceed 50" + "x" * 5000))
    error = failure_of(client)
    assert isinstance(error, PermanentPortalError)
    assert is_one_sentence(error)
    assert '"Bad Request - perPage must not exceed 50' in str(error)
    assert len(str(error)) < 500
    assert len(portal.requests) == 1


def test_the_newer_problem_document_is_quoted_too(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    document = (
        b'{"code": "E1", "status": 422, "title": "Invalid", "attributes": {"trace_id": "t"},'
        b' "errors": [{"detail": "too old", "pointer": "/createdAtFrom", "type": "X"}]}'
    )
    portal.plays(raw(document, "application/problem+json", 422))
    assert '"Invalid - too old - /createdAtFrom"' in str(failure_of(client))


def test_what_looks_personal_is_not_quoted(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(problem(400, "Bad", "senderPhone +971 50 123 4567 or john@example.com"))
    message = str(failure_of(client))
    assert "123" not in message
    assert "john" not in message


def test_a_redirect_is_refused_and_not_followed(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(raw(b"", status=302, Location=f"{portal.url}/elsewhere"), reply(GUIDE_ANSWER))
    error = failure_of(client)
    assert isinstance(error, PermanentPortalError)
    assert "redirect" in str(error)
    assert [request.path for request in portal.requests] == ["/v1/leads"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (html(), "HTML page"),
        (raw(b"  <!DOCTYPE html>", ""), "HTML page"),
        (raw(b'{"data": [], "pag'), "broken JSON"),
        (raw(b"\xff\xfe\xfa"), "broken JSON"),
        (raw(b"[" * 100_000), "broken JSON"),
        (raw(b""), "broken JSON"),
        (raw(b'{"data": []}', "text/csv"), "content type"),
        (reply([1, 2]), "list of records"),
        (reply({"pagination": {}}), "list of records"),
        (reply({"data": {"id": 1}}), "list of records"),
        (truncated(b'{"data": []}'), "broke off"),
        (raw(b"not gzip", Content_Encoding="gzip"), "damaged"),
    ],
)
def test_an_answer_without_leads_is_never_taken_for_no_leads(
    portal: ScriptedPortal, client: PortalClient, answer: Answer, words: str
) -> None:
    portal.plays(answer)
    error = failure_of(client)
    assert isinstance(error, PortalDataError)
    assert words in str(error)
    assert is_one_sentence(error)
    assert len(portal.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 200,
        b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200,
    ],
    ids=["in the body", "in the headers"],
)
def test_a_slow_drip_is_cut_off(
    portal: ScriptedPortal, make_client: MakeClient, answer: bytes
) -> None:
    portal.plays(drip(answer, every=0.02))
    started = time.monotonic()
    error = failure_of(make_client(timeout_seconds=0.5, attempts=1))
    assert time.monotonic() - started < 1.5
    assert isinstance(error, TransientPortalError)
    assert "did not answer in full within 0.5 s" in str(error)


def test_a_body_without_end_is_cut_off(
    portal: ScriptedPortal, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 4 * 2**20)
    portal.plays(endless())
    error = failure_of(make_client(attempts=1))
    assert isinstance(error, PortalDataError)
    assert "larger than 4 MiB" in str(error)


def test_a_retry_is_logged_with_place_reason_and_wait(
    portal: ScriptedPortal,
    client: PortalClient,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    portal.plays(problem(502), reply(GUIDE_ANSWER))
    client.page(1, START, END, "whatsapp")
    (record,) = [r for r in caplog.records if r.name.startswith("pf_pipeline")]
    assert record.levelno == logging.WARNING
    assert portal.url.removeprefix("http://") + "/v1/leads" in record.getMessage()
    assert "502" in record.getMessage()
    assert f"{waits[0]:.1f} s" in record.getMessage()
    assert "whatsapp" not in record.getMessage()


@pytest.mark.parametrize(
    "answer",
    [
        problem(400, detail=f"The token {TOKEN} is bad."),
        problem(401, detail=TOKEN),
        problem(503, detail=TOKEN),
        reset(),
        truncated(b"{"),
        raw(TOKEN.encode()),
    ],
)
def test_no_error_or_log_shows_the_token(
    portal: ScriptedPortal, client: PortalClient, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    portal.plays(answer)
    error: BaseException | None = failure_of(client)
    while error is not None:
        assert TOKEN not in f"{error} {error!r} {vars(error)}"
        assert not isinstance(error, requests.RequestException)  # holds the request's headers
        error = error.__cause__ or error.__context__
    assert TOKEN not in caplog.text
    assert TOKEN not in f"{client!r}"


def test_the_user_agent_names_the_pipeline(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    client.page(1, START, END)
    agent = portal.requests[0].headers["User-Agent"]
    assert re.fullmatch(r"pf-pipeline/[\d.]+ python-requests/[\d.]+", agent)
