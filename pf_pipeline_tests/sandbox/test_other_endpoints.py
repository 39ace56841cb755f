import io
import wave

import pytest

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.people import PEOPLE
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc


def test_users_map_profiles_to_people(client: Client) -> None:
    users = client.get("/v1/users").json()["data"]
    assert len(users) == len(PEOPLE)
    assert users[0] == {
        "id": 1234,
        "firstName": "Sarah",
        "lastName": "Haddad",
        "email": "sarah.haddad@brokerage.example",
        "mobile": "+971500001234",
        "status": "active",
        "publicProfile": {
            "id": 40217,
            "name": "Agent Sarah",
            "email": "sarah.haddad@brokerage.example",
            "phone": "+971500001234",
        },
    }


def test_office_staff_have_no_public_profile(client: Client) -> None:
    users = client.get("/v1/users").json()["data"]
    assert [user["id"] for user in users if user["publicProfile"] is None] == [1490]


def test_users_come_in_pages(client: Client) -> None:
    answer = client.get("/v1/users", perPage=10, page=2).json()
    assert len(answer["data"]) == len(PEOPLE) - 10
    assert answer["pagination"]["prevPage"] == 1
    assert answer["pagination"]["nextPage"] is None


def test_a_listing_names_its_reference_titles_and_advertiser(client: Client) -> None:
    listing = client.get("/v1/listings").json()["results"][0]
    assert listing["reference"] == "APT-DOWNTOWN-101"
    assert listing["title"]["en"] == "Luxury 2BR in Downtown"
    assert listing["title"]["ar"]
    assert listing["assignedTo"] == {"id": 40217, "name": "Agent Sarah"}


@pytest.mark.parametrize(
    ("flags", "stages"),
    [
        ({}, {"live"}),
        ({"draft": "true"}, {"live", "draft"}),
        ({"archived": "true"}, {"live", "archived"}),
        ({"draft": "true", "archived": "true"}, {"live", "draft", "archived"}),
        ({"draft": "false"}, {"live"}),
    ],
)
def test_only_published_listings_unless_asked(
    client: Client, flags: dict[str, str], stages: set[str]
) -> None:
    pages = [client.get("/v1/listings", page=page, **flags).json() for page in (1, 2)]
    listings = [listing for page in pages for listing in page["results"]]
    assert {listing["state"]["stage"] for listing in listings} == stages
    assert len(listings) == pages[0]["pagination"]["total"]


@pytest.mark.parametrize("path", ["/v1/users", "/v1/listings"])
def test_more_than_a_hundred_a_page_is_a_problem(client: Client, path: str) -> None:
    assert client.get(path, perPage=101).status_code == 400
    assert client.get(path, perPage=100).status_code == 200


def test_every_recording_that_a_lead_links_to_plays(client: Client) -> None:
    links = [
        record["recordingUrl"]
        for record in client.leads(channel="call")
        if isinstance(record, dict) and record.get("recordingUrl")
    ]
    assert links
    for link in links:
        answer = client.session.get(link, timeout=10)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "audio/wav"
        with wave.open(io.BytesIO(answer.content)) as recording:
            assert 1 <= recording.getnframes() / recording.getframerate() <= 2


def test_a_recording_is_audible(client: Client) -> None:
    content = client.get("/recordings/call_lead_1992.wav").content
    with wave.open(io.BytesIO(content)) as recording:
        samples = recording.readframes(recording.getnframes())
    assert max(samples) - min(samples) > 100


def test_a_recording_depends_on_its_id_alone(client: Client) -> None:
    first = client.get("/recordings/call_lead_1992.wav").content
    assert client.get("/recordings/call_lead_1992.wav").content == first
    assert client.get("/recordings/call_lead_1993.wav").content != first
    assert len(first) < 50_000


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/v1/nothing",
        "/recordings/message_lead_1.wav",
        "/recordings/call_lead_1.mp3",
    ],
)
def test_what_is_not_there_is_a_problem(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "NOT_FOUND"


def test_a_method_that_is_not_there_is_a_problem(client: Client) -> None:
    answer = client.post("/v1/leads", headers={"Authorization": "Bearer sandbox-token"})
    assert answer.status_code == 404
    assert answer.json()["type"] == "NOT_FOUND"


def test_health_needs_no_token(client: Client) -> None:
    answer = client.get("/sandbox/health", token=None)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_response_links_are_counted() -> None:
    with client_of(SandboxOptions(clock=Clock(utc("2025-12-02")))) as client:
        link = next(
            record["responseLink"]
            for record in client.leads(createdAtFrom="2025-12-01T00:00:00Z")
            if isinstance(record, dict) and record.get("responseLink")
        )
        assert client.sandbox.stats()["response_link_hits"] == 0
        client.session.get(link, timeout=10)
        client.session.post(link, timeout=10)
        assert client.sandbox.stats()["response_link_hits"] == 2


def test_stats_count_requests_and_pages() -> None:
    with client_of(SandboxOptions(clock=Clock(utc("2025-12-03")))) as client:
        client.leads()
        client.get("/v1/leads", token=None)
        client.get("/recordings/call_lead_1.wav")
        client.get("/sandbox/health")
        served = client.get("/sandbox/stats").json()
        assert served == client.sandbox.stats()
    assert served == {
        "requests": {"/v1/leads": 4, "/recordings": 1},
        "response_link_hits": 0,
        "leads_pages": 3,
        "statuses": {"200": 4, "401": 1},
        "limited": 0,
        "faults": {},
        "webhooks": dict.fromkeys(
            ("events", "attempts", "acknowledged", "retried", "repeated", "given_up", "pending"), 0
        ),
    }
