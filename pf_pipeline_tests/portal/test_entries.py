"""Users, listings, and leads by their ids."""

import pytest

from pf_pipeline.portal import PortalClient, PortalDataError, StaticToken
from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.portal.conftest import MakeClient
from pf_pipeline_tests.portal.scripted import ScriptedPortal, reply


def page_of(name: str, ids: range, page: int, total: int) -> dict[str, object]:
    return {
        name: [{"id": n} for n in ids],
        "pagination": {"page": page, "perPage": 100, "total": total, "totalPages": 2},
    }


def test_all_pages_are_read_with_the_parameters(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(
        reply(page_of("results", range(100), 1, 130)),
        reply(page_of("results", range(100, 130), 2, 130)),
    )
    entries = client.entries("/v1/listings", "results", {"draft": "true", "archived": "true"})
    assert entries.records == [{"id": n} for n in range(130)]
    assert entries.outcome.complete
    assert [body[:20] for body in entries.bodies] == [
        b'{"results": [{"id": ',
        b'{"results": [{"id": ',
    ]
    assert [sorted(request.query) for request in portal.requests] == [
        [("archived", "true"), ("draft", "true"), ("page", page), ("perPage", "100")]
        for page in "12"
    ]
    assert {request.path for request in portal.requests} == {"/v1/listings"}


def test_an_entry_that_moves_to_the_next_page_is_given_once(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(
        reply(page_of("data", range(100), 1, 101)),
        reply(page_of("data", range(99, 101), 2, 102)),
        reply(page_of("data", range(-1, 99), 1, 102)),
    )
    entries = client.entries("/v1/users", "data")
    assert sorted(str(record) for record in entries.records) == sorted(
        str({"id": n}) for n in range(-1, 101)
    )
    assert entries.outcome.complete


def test_entries_under_another_name_are_no_entries(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(reply(page_of("data", range(1), 1, 1)))
    with pytest.raises(PortalDataError, match="list of records under 'results'"):
        client.entries("/v1/listings", "results")


def test_entries_show_nothing_personal_in_their_repr(
    portal: ScriptedPortal, client: PortalClient
) -> None:
    portal.plays(reply({"data": [{"id": 1, "email": "john@example.com"}]}))
    assert "john" not in repr(client.entries("/v1/users", "data"))


def test_the_sandboxs_users_and_listings_are_complete(sandbox: RunningSandbox) -> None:
    with PortalClient(sandbox.base_url, StaticToken("sandbox-token")) as client:
        users = client.entries("/v1/users", "data")
        published = client.entries("/v1/listings", "results")
        listings = client.entries("/v1/listings", "results", {"draft": "true", "archived": "true"})
    assert len(users.records) == users.outcome.total
    assert len(listings.records) == listings.outcome.total
    assert len(listings.records) > len(published.records)
    assert all(entries.outcome.complete for entries in (users, published, listings))


def test_ids_are_asked_for_fifty_at_a_time(portal: ScriptedPortal, make_client: MakeClient) -> None:
    ids = [f"call_lead_{n}" for n in range(101)]
    portal.plays(*(reply({"data": [{"id": one}]}) for one in ids[::50]))
    pages = list(make_client(dialect="atlas").walk_ids([*ids, ids[0]]))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.records for page in pages] == [[{"id": one}] for one in ids[::50]]
    asked = [[value for name, value in r.query if name == "id"] for r in portal.requests]
    assert asked == [ids[:50], ids[50:100], ids[100:]]
    assert {name for r in portal.requests for name, _ in r.query} == {"id", "page", "perPage"}


def test_no_ids_are_no_requests(portal: ScriptedPortal, client: PortalClient) -> None:
    assert list(client.walk_ids([])) == []
    assert portal.requests == []


def test_the_sandbox_gives_leads_by_id(sandbox: RunningSandbox) -> None:
    with PortalClient(sandbox.base_url, StaticToken("sandbox-token"), dialect="atlas") as client:
        (page,) = client.walk_ids(["lead_987654", "call_lead_that_nobody_knows"])
    assert [record["id"] for record in page.records if isinstance(record, dict)] == ["lead_987654"]
