import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pf_pipeline.portal import PortalClient
from pf_pipeline_tests.portal.conftest import MakeClient
from pf_pipeline_tests.portal.samples import (
    END,
    GUIDE_ANSWER,
    GUIDE_LEAD,
    START,
    atlas_page,
    guide_page,
)
from pf_pipeline_tests.portal.scripted import ScriptedPortal, raw, reply


def test_the_guides_sample_response_is_read(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    (page,) = client.walk(START, END)
    assert page.records == [GUIDE_LEAD]
    assert page.number == 1
    assert page.pagination.total == 1
    assert page.pagination.dialect == "guide"


def test_the_guides_parameters_are_sent(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    client.page(3, START, END, "call")
    (request,) = portal.requests
    assert request.method == "GET"
    assert request.path == "/v1/leads"
    assert sorted(request.query) == [
        ("channel", "call"),
        ("page", "3"),
        ("perPage", "50"),
        ("since", "2025-12-18T23:59:59Z"),  # "after this instant" leaves out the instant itself
    ]


def test_the_atlas_parameters_are_sent(portal: ScriptedPortal, make_client: MakeClient) -> None:
    portal.plays(reply(atlas_page(1, 1)))
    make_client(dialect="atlas", now=lambda: END).page(1, START, END, "email")
    assert sorted(portal.requests[0].query) == [
        ("channel", "email"),
        ("createdAtFrom", "2025-12-19T00:00:00Z"),
        ("createdAtTo", "2025-12-20T00:00:00Z"),
        ("page", "1"),
        ("perPage", "50"),
    ]


def test_bounds_are_sent_in_utc_and_rounded_outwards(
    portal: ScriptedPortal, make_client: MakeClient
) -> None:
    portal.plays(reply(atlas_page(1, 1)))
    dubai = timezone(timedelta(hours=4))
    start = datetime(2025, 12, 19, 4, 0, 0, 700_000, tzinfo=dubai)
    make_client(dialect="atlas", now=lambda: END).page(1, start, start + timedelta(seconds=1))
    query = dict(portal.requests[0].query)
    assert query["createdAtFrom"] == "2025-12-19T00:00:00Z"
    assert query["createdAtTo"] == "2025-12-19T00:00:02Z"


def test_bounds_without_a_time_zone_are_refused(client: PortalClient) -> None:
    with pytest.raises(ValueError, match="time zone"):
        client.page(1, START.replace(tzinfo=None), END)


def test_all_pages_of_the_guide_are_walked(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(*(reply(guide_page(number, of=3)) for number in (1, 2, 3)))
    assert [page.number for page in client.walk(START, END)] == [1, 2, 3]
    assert [dict(request.query)["page"] for request in portal.requests] == ["1", "2", "3"]


def test_all_pages_of_atlas_are_walked(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(*(reply(atlas_page(number, of=3)) for number in (1, 2, 3)))
    pages = list(client.walk(START, END))
    assert [page.pagination.number for page in pages] == [1, 2, 3]
    assert [page.pagination.has_next for page in pages] == [True, True, False]
    assert {page.pagination.dialect for page in pages} == {"atlas"}


def test_a_span_without_leads_is_one_empty_page(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(reply(guide_page(1, of=0, count=0)))
    (page,) = client.walk(START, END)
    assert page.records == []


def test_without_any_pagination_a_full_page_is_followed_by_another(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(reply({"data": [{}] * 50}), reply({"data": [{}] * 49}))
    assert [len(page.records) for page in client.walk(START, END)] == [50, 49]


def test_a_body_is_kept_exactly_as_received(portal: ScriptedPortal, client: PortalClient) -> None:
    body = b'{ "data":[ {"id": "lead_1", "score": NaN} ],\n "pagination": null }\n'
    portal.plays(raw(body))
    assert client.page(1, START, END).body == body


def test_a_compressed_body_is_kept_as_what_it_holds(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    body = json.dumps(GUIDE_ANSWER).encode()
    portal.plays(raw(gzip.compress(body), Content_Encoding="gzip"))
    assert client.page(1, START, END).body == body
    assert "gzip" in portal.requests[0].headers["Accept-Encoding"]


def test_a_page_is_stamped_with_the_instant_of_its_request(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    before = datetime.now(UTC)
    page = client.page(1, START, END)
    assert before <= page.requested_at <= datetime.now(UTC)
    assert page.requested_at.tzinfo is UTC


def test_a_page_shows_no_lead_in_its_repr(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    shown = repr(client.page(1, START, END))
    assert not any(str(GUIDE_LEAD[field]) in shown for field in ("name", "email", "phone"))


def test_threads_may_share_a_client(portal: ScriptedPortal, client: PortalClient) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    with ThreadPoolExecutor(8) as threads:
        pages = list(threads.map(lambda number: client.page(number, START, END), range(1, 41)))
    assert [page.number for page in pages] == list(range(1, 41))
    assert all(page.records == [GUIDE_LEAD] for page in pages)


def test_an_address_is_never_asked_for(portal: ScriptedPortal, client: PortalClient) -> None:
    with pytest.raises(ValueError, match="not an address"):
        client.entries(f"{portal.url}/reply-to-the-lead", "data")
    assert portal.requests == []
