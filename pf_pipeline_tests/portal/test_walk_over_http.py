"""The walk for real: over HTTP, against the sandbox and against a portal that misbehaves."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pf_pipeline.portal import (
    Dialect,
    LeadsPage,
    MintedToken,
    PermanentPortalError,
    PortalClient,
    RequestBudget,
    StaticToken,
    StoppedError,
)
from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.portal.conftest import TOKEN, MakeClient
from pf_pipeline_tests.portal.samples import END, START, atlas_page, guide_page
from pf_pipeline_tests.portal.scripted import (
    Answer,
    ScriptedPortal,
    html,
    minted,
    problem,
    raw,
    reply,
    reset,
    reset_in_the_body,
    truncated,
)

FIRST = datetime(2025, 12, 10, tzinfo=UTC)
LAST = FIRST + timedelta(days=12)
TWELVE_DAYS = 12 * 60


def ids(pages: list[LeadsPage]) -> list[object]:
    return [
        record["id"]
        for page in pages
        for record in page.records
        if isinstance(record, dict) and record.get("id")
    ]


@pytest.fixture(params=["guide", "atlas"])
def reader(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> Iterator[PortalClient]:
    dialect: Dialect = request.param
    token = StaticToken("sandbox-token")
    with PortalClient(
        sandbox.base_url, token, dialect=dialect, parallel=5, clock=lambda: LAST
    ) as client:
        yield client


def requests_of(sandbox: RunningSandbox) -> int:
    return sandbox.stats()["requests"].get("/v1/leads", 0)


def test_the_sandbox_is_read_whole_in_as_few_requests_as_can_be(
    sandbox: RunningSandbox, reader: PortalClient
) -> None:
    before = requests_of(sandbox)
    walk = reader.walk(FIRST, LAST)
    pages = list(walk)
    assert [page.number for page in pages] == list(range(1, -(-TWELVE_DAYS // 50) + 1))
    assert requests_of(sandbox) - before == len(pages)
    assert walk.outcome.complete
    assert walk.outcome.distinct == walk.outcome.total == TWELVE_DAYS
    assert len(set(ids(pages))) == len(ids(pages))
    assert "lead_987654" in ids(pages)


def test_pages_that_an_interrupted_attempt_stored_are_not_fetched_again(
    sandbox: RunningSandbox, reader: PortalClient
) -> None:
    pages = list(reader.walk(FIRST, LAST))
    before = requests_of(sandbox)
    walk = reader.walk(FIRST, LAST, known=pages[::2])
    assert [page.number for page in walk] == [page.number for page in pages[1::2]]
    assert requests_of(sandbox) - before == len(pages[1::2])
    assert walk.outcome.complete
    nothing_missing = reader.walk(FIRST, LAST, known=pages)
    assert list(nothing_missing) == []
    assert nothing_missing.outcome.complete


def test_a_day_without_leads_is_one_request(sandbox: RunningSandbox, reader: PortalClient) -> None:
    before = requests_of(sandbox)
    walk = reader.walk(LAST + timedelta(days=1), LAST + timedelta(days=2))
    assert [page.records for page in walk] == [[]]
    assert walk.outcome.complete
    assert requests_of(sandbox) - before == 1


def test_one_channel_is_a_part_of_all(reader: PortalClient) -> None:
    walk = reader.walk(FIRST, LAST, channel="call")
    pages = list(walk)
    assert walk.outcome.complete
    assert 0 < len(ids(pages)) < TWELVE_DAYS
    assert all(
        record["channel"] == "call"
        for page in pages
        for record in page.records
        if isinstance(record, dict)
    )


FAULTS: dict[str, Callable[[], Answer]] = {
    "a reset connection": reset,
    "a connection that is reset in the body": lambda: reset_in_the_body(b'{"data": ['),
    "HTTP 408": lambda: problem(408),
    "a page of the CDN": lambda: html(403),
    "an HTML page": html,
    "HTTP 429": lambda: problem(429),
    "HTTP 503": lambda: problem(503, Retry_After="1"),
    "broken JSON": lambda: raw(b'{"data": [{'),
    "half a body": lambda: truncated(b'{"data": []'),
    "another content type": lambda: raw(b'{"data": []}', "text/csv"),
    "an empty page that promises records": lambda: reply(guide_page(1, of=0, count=0) | total(3)),
    "a short page that promises records": lambda: reply(guide_page(2, of=3, count=1) | total(99)),
}


def total(records: int) -> dict[str, object]:
    return {"pagination": {"total": records, "perPage": 50, "currentPage": 2, "totalPages": 3}}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_the_middle_of_a_walk_leaves_no_trace(
    portal: ScriptedPortal, client: PortalClient, fault: Callable[[], Answer]
) -> None:
    pages = [reply(guide_page(number, of=3)) for number in (1, 2, 3)]
    portal.plays(pages[0], fault(), pages[1], pages[2])
    walk = client.walk(START, END)
    assert ids(list(walk)) == ["lead_1_0", "lead_2_0", "lead_3_0"]
    assert walk.outcome.complete
    assert len(portal.requests) == 4


def test_a_page_that_lacks_records_every_time_is_kept_and_the_walk_incomplete(
    portal: ScriptedPortal, make_client: MakeClient
) -> None:
    short = reply({"data": [{"id": "only"}]} | total(40))
    portal.plays(short)
    walk = make_client(attempts=2).walk(START, END)
    assert set(ids(list(walk))) == {"only"}
    assert not walk.outcome.complete
    assert (walk.outcome.distinct, walk.outcome.total) == (1, 40)


def test_a_next_page_that_points_back_ends_the_walk(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    looping = {"page": 1, "nextPage": 1}
    portal.plays(reply({"data": [{"id": "a"}], "pagination": looping}))
    assert len(list(client.walk(START, END))) == 1


def test_a_next_page_that_never_ends_ends_when_nothing_new_comes(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    endless = {"page": 1, "nextPage": 10**6}
    portal.plays(reply({"data": [{"id": "a"}], "pagination": endless}))
    walk = client.walk(START, END)
    assert len(list(walk)) == 2
    assert not walk.outcome.complete


@pytest.mark.parametrize("pages", [1, 1000, None, "many"])
def test_total_pages_that_lie_change_nothing(
    portal: ScriptedPortal, client: PortalClient, pages: object
) -> None:
    answers = [atlas_page(number, of=3) for number in (1, 2, 3)]
    empty = atlas_page(4, of=3) | {"data": []}
    for answer in (*answers, empty):
        pagination = answer["pagination"]
        assert isinstance(pagination, dict)
        pagination["totalPages"] = pages
    portal.plays(*map(reply, (*answers, empty)))
    walk = client.walk(START, END)
    assert ids(list(walk)) == ["call_lead_1", "call_lead_2", "call_lead_3"]
    assert walk.outcome.complete


def test_everything_optional_may_be_null(portal: ScriptedPortal, client: PortalClient) -> None:
    nulls = dict.fromkeys(["page", "perPage", "total", "totalPages", "nextPage", "prevPage"])
    portal.plays(reply({"data": [None, {"id": None}, {"id": "a"}], "pagination": nulls}))
    walk = client.walk(START, END)
    (page,) = walk
    assert page.records == [None, {"id": None}, {"id": "a"}]
    assert walk.outcome.complete


@pytest.mark.parametrize("digits", [41, 5_000])
def test_a_number_of_thousands_of_digits_does_not_fail_the_walk(
    portal: ScriptedPortal, client: PortalClient, digits: int
) -> None:
    body = b'{"data": [{"id": "a", "score": %s}, {"id": "b"}], "pagination": {"total": %s}}'
    portal.plays(raw(body % (b"9" * digits, b"9" * digits)))
    walk = client.walk(START, END)
    assert ids(list(walk)) == ["a", "b"]
    assert walk.outcome.total is None


def test_a_token_that_expires_between_two_pages_is_renewed(
    portal: ScriptedPortal, make_client: MakeClient
) -> None:
    pages = [reply(guide_page(number, of=3)) for number in (1, 2, 3)]
    portal.plays(minted("first"), pages[0], problem(401), minted("second"), *pages[1:])
    walk = make_client(MintedToken(portal.url, "key", "secret")).walk(START, END)
    assert ids(list(walk)) == ["lead_1_0", "lead_2_0", "lead_3_0"]
    assert [request.headers["Authorization"] for request in portal.requests if request.query] == [
        "Bearer first",
        "Bearer first",
        "Bearer second",
        "Bearer second",
    ]


def test_a_key_that_is_revoked_between_two_pages_ends_the_walk(
    portal: ScriptedPortal, make_client: MakeClient
) -> None:
    portal.plays(
        minted("first"), reply(guide_page(1, of=3)), problem(401), minted("second"), problem(401)
    )
    with pytest.raises(PermanentPortalError, match="PF_API_KEY and PF_API_SECRET"):
        list(make_client(MintedToken(portal.url, "key", "secret")).walk(START, END))
    assert len(portal.requests) == 5


def test_a_missing_scope_ends_a_walk_at_once(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(guide_page(1, of=3)), problem(403, "Forbidden"))
    seen = []
    with pytest.raises(PermanentPortalError, match="leads:read"):
        seen += [page.number for page in client.walk(START, END)]
    assert len(portal.requests) == 2


def walking_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("leads-walk")]


def everybody_has_gone() -> bool:
    for thread in walking_threads():
        thread.join(timeout=10)
    return not walking_threads()


def test_requests_that_wait_for_their_turn_end_with_the_walk(
    portal: ScriptedPortal, tmp_path: Path
) -> None:
    portal.plays(reply(guide_page(1, of=30)))
    budget = RequestBudget(tmp_path / "budget", "requests", 2)
    with PortalClient(portal.url, StaticToken(TOKEN), budget=budget, parallel=4) as client:
        for page in client.walk(START, END):
            if page.number == 2:
                break
        assert everybody_has_gone()
    assert len(portal.requests) == 2


def test_waits_between_attempts_end_with_the_walk(portal: ScriptedPortal) -> None:
    refused = threading.Event()

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        problem(503, Retry_After="100")(handler)
        refused.set()

    portal.plays(reply(guide_page(1, of=30)), reply(guide_page(2, of=30)), refuse)
    with PortalClient(portal.url, StaticToken(TOKEN), parallel=1) as client:
        for page in client.walk(START, END):
            if page.number == 2:
                assert refused.wait(10)
                break
        assert everybody_has_gone()


def test_closing_the_client_wakes_who_waits(portal: ScriptedPortal, tmp_path: Path) -> None:
    portal.plays(reply(guide_page(1, of=30)))
    budget = RequestBudget(tmp_path / "budget", "requests", 1)
    client = PortalClient(portal.url, StaticToken(TOKEN), budget=budget, parallel=2)
    ends: list[BaseException] = []

    def walk() -> None:
        try:
            list(client.walk(START, END))
        except StoppedError as error:
            ends.append(error)

    walking = threading.Thread(target=walk)
    walking.start()
    walking.join(0.3)
    assert walking.is_alive()
    client.close()
    walking.join(10)
    assert not walking.is_alive()
    assert len(ends) == 1
    assert everybody_has_gone()
