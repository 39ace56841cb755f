from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from pf_pipeline.sandbox import SandboxOptions, leads_of_day
from pf_pipeline.sandbox.dialects import Dialect, Record, atlas_record, guide_record
from pf_pipeline.sandbox.lead import GUIDE_SAMPLE, SandboxLead
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc

DAYS = [date(2025, 12, 18), date(2025, 12, 19), date(2025, 12, 20)]
LEADS = [lead for day in DAYS for lead in leads_of_day(1, day, 60)]
NEWEST_FIRST = LEADS[::-1]

ALL_GUIDE = {"since": "2025-01-01T00:00:00Z"}
ALL_ATLAS = {"createdAtFrom": "2025-01-01T00:00:00Z"}


def rendered(
    leads: list[SandboxLead], render: Callable[[SandboxLead, str], Record], client: Client
) -> list[Record]:
    return [render(lead, client.sandbox.base_url) for lead in leads]


def ids(records: list[Any]) -> list[Any]:
    return [record.get("id") for record in records if isinstance(record, dict)]


def sound(leads: list[SandboxLead]) -> list[SandboxLead]:
    return [lead for lead in leads if lead.defect is None]


def test_all_guide_pages_give_every_lead_once_newest_first(client: Client) -> None:
    assert client.leads(**ALL_GUIDE) == rendered(NEWEST_FIRST, guide_record, client)


def test_all_atlas_pages_give_every_lead_once_newest_first(client: Client) -> None:
    assert client.leads(**ALL_ATLAS) == rendered(NEWEST_FIRST, atlas_record, client)


@pytest.mark.parametrize("per_page", [1, 7, 50])
def test_page_size_does_not_change_what_is_served(client: Client, per_page: int) -> None:
    window = {"createdAtFrom": "2025-12-19T00:00:00Z", "createdAtTo": "2025-12-20T00:00:00Z"}
    expected = rendered(LEADS[60:120][::-1], atlas_record, client)
    assert client.leads(perPage=per_page, **window) == expected


def test_malformed_records_are_served_in_their_place() -> None:
    day = date(2025, 12, 18)
    options = SandboxOptions(
        leads_per_day=1_000, first_day=day, last_day=day, clock=Clock(utc("2025-12-20"))
    )
    with client_of(options) as client:
        served = client.leads()
    defective = [
        position
        for position, lead in enumerate(reversed(leads_of_day(1, day, 1_000)))
        if lead.defect is not None
    ]
    assert len(defective) == 5
    assert [
        position
        for position, record in enumerate(served)
        if not isinstance(record, dict)
        or not isinstance(record.get("id"), str)
        or not str(record.get("createdAt"))[0].isdigit()
    ] == defective


def test_guide_envelope(client: Client) -> None:
    assert client.get("/v1/leads", page=4, perPage=50).json()["pagination"] == {
        "total": 180,
        "count": 30,
        "perPage": 50,
        "currentPage": 4,
        "totalPages": 4,
    }


def test_atlas_envelope(client: Client) -> None:
    assert client.get("/v1/leads", page=4, **ALL_ATLAS).json()["pagination"] == {
        "page": 4,
        "perPage": 50,
        "total": 180,
        "totalPages": 4,
        "nextPage": None,
        "prevPage": 3,
    }


@pytest.mark.parametrize("parameters", [ALL_GUIDE, ALL_ATLAS])
def test_a_page_past_the_end_is_empty(client: Client, parameters: dict[str, str]) -> None:
    answer = client.get("/v1/leads", page=5, **parameters)
    assert answer.status_code == 200
    assert answer.json()["data"] == []


def test_since_is_exclusive(client: Client) -> None:
    assert "lead_987654" not in ids(client.leads(since="2025-12-19T10:30:00Z"))
    assert "lead_987654" in ids(client.leads(since="2025-12-19T10:29:59Z"))


def test_created_from_is_inclusive(client: Client) -> None:
    assert "lead_987654" in ids(client.leads(createdAtFrom="2025-12-19T10:30:00Z"))
    assert "lead_987654" not in ids(client.leads(createdAtFrom="2025-12-19T10:30:01Z"))


def test_created_to_is_exclusive(client: Client) -> None:
    assert "lead_987654" not in ids(client.leads(createdAtTo="2025-12-19T10:30:00Z"))
    assert "lead_987654" in ids(client.leads(createdAtTo="2025-12-19T10:30:01Z"))


def test_neighbouring_windows_share_no_lead_and_miss_none(client: Client) -> None:
    middle = "2025-12-19T10:30:00Z"
    both = client.leads(createdAtTo=middle) + client.leads(createdAtFrom=middle)
    assert sorted(map(str, ids(both))) == sorted(map(str, ids(client.leads(**ALL_ATLAS))))


def test_an_empty_window_has_no_leads(client: Client) -> None:
    window = {"createdAtFrom": "2025-12-19T12:00:00Z", "createdAtTo": "2025-12-19T08:00:00Z"}
    answer = client.get("/v1/leads", **window).json()
    assert answer["data"] == []
    assert answer["pagination"]["total"] == 0


def test_offsets_are_understood(client: Client) -> None:
    gulf = client.leads(createdAtFrom="2025-12-19T14:30:00+04:00")
    assert gulf == client.leads(createdAtFrom="2025-12-19T10:30:00Z")


@pytest.mark.parametrize("channel", ["call", "whatsapp", "email", "chat"])
def test_guide_channel_filters(client: Client, channel: str) -> None:
    expected = [lead for lead in NEWEST_FIRST if lead.channel == channel]
    assert expected
    assert client.leads(channel=channel) == rendered(expected, guide_record, client)


def test_atlas_whatsapp_filter_finds_chats_too(client: Client) -> None:
    expected = [lead for lead in NEWEST_FIRST if lead.channel in {"whatsapp", "chat"}]
    served = client.leads(channel="whatsapp", **ALL_ATLAS)
    assert served == rendered(expected, atlas_record, client)


def _reference(lead: SandboxLead) -> str | None:
    return lead.listing.reference if lead.listing else None


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"id": ["lead_987654"]}, lambda lead: lead.lead_id == "lead_987654"),
        ({"status": ["read"]}, lambda lead: lead.status == "read"),
        ({"status": ["read", "sent"]}, lambda lead: lead.status in {"read", "sent"}),
        ({"status": ["read,sent"]}, lambda lead: lead.status in {"read", "sent"}),
        ({"entityType": ["project"]}, lambda lead: lead.entity_type == "project"),
        (
            {"listingReference": ["APT-DOWNTOWN-101"]},
            lambda lead: _reference(lead) == "APT-DOWNTOWN-101",
        ),
        (
            {"publicProfileId": ["40217"]},
            lambda lead: lead.agent is not None and lead.agent.portal_profile_id == 40217,
        ),
        ({"senderPhone": ["+971501234567"]}, lambda lead: lead.phone == "+971501234567"),
        (
            {"senderEmail": ["johndoe@example.com"]},
            lambda lead: lead.email == "johndoe@example.com",
        ),
        ({"tag": ["from_agent"]}, lambda lead: "from_agent" in lead.tags),
        ({"excludeTag": ["from_agent"]}, lambda lead: "from_agent" not in lead.tags),
        (
            {"channel": ["call"], "status": ["delivered"]},
            lambda lead: lead.channel == "call" and lead.status == "delivered",
        ),
    ],
)
def test_atlas_filters(
    client: Client, parameters: dict[str, list[str]], wanted: Callable[[SandboxLead], bool]
) -> None:
    expected = [lead for lead in NEWEST_FIRST if wanted(lead)]
    assert 0 < len(expected) < len(LEADS)
    assert client.leads(**parameters) == rendered(expected, atlas_record, client)


@pytest.mark.parametrize(
    ("dialect", "parameters", "page_field"),
    [("guide", ALL_ATLAS, "currentPage"), ("atlas", ALL_GUIDE, "page")],
)
def test_a_forced_dialect_decides_the_shape(
    dialect: Dialect, parameters: dict[str, str], page_field: str
) -> None:
    options = SandboxOptions(dialect=dialect, clock=Clock(utc("2025-12-03")))
    with client_of(options) as client:
        answer = client.get("/v1/leads", **parameters).json()
    assert answer["pagination"][page_field] == 1
    assert answer["pagination"]["total"] == 120


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"page": "0"}, "/query/page"),
        ({"page": "-1"}, "/query/page"),
        ({"page": "one"}, "/query/page"),
        ({"page": "9" * 5_000}, "/query/page"),
        ({"perPage": "0"}, "/query/perPage"),
        ({"perPage": "51"}, "/query/perPage"),
        ({"perPage": ""}, "/query/perPage"),
        ({"since": "last week"}, "/query/since"),
        ({"since": "2025-12-19T10:30:00"}, "/query/since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "/query/since"),
        ({"createdAtFrom": "2025-12-19T10:30:00 04:00"}, "/query/createdAtFrom"),
        ({"createdAtTo": "tomorrow"}, "/query/createdAtTo"),
        ({"channel": "fax"}, "/query/channel"),
    ],
)
def test_a_bad_parameter_is_a_problem(
    client: Client, parameters: dict[str, str], pointer: str
) -> None:
    answer = client.get("/v1/leads", **parameters)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"title", "detail", "type", "errors"}
    assert problem["type"] == "SCHEMA_VALIDATION"
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_since_may_be_the_end_of_time(client: Client) -> None:
    assert client.leads(since="9999-12-31T23:59:59.999999Z") == []


def test_a_window_older_than_the_history_is_refused() -> None:
    options = SandboxOptions(history_days=90, clock=Clock(utc("2026-06-01")))
    with client_of(options) as client:
        refused = client.get("/v1/leads", createdAtFrom="2026-03-02T23:59:59Z")
        accepted = client.get("/v1/leads", createdAtFrom="2026-03-03T00:00:00Z")
    assert refused.status_code == 400
    assert refused.json()["type"] == "BUSINESS_VALIDATION"
    assert accepted.status_code == 200


def test_the_portal_forgets_in_both_dialects() -> None:
    start = utc("2025-12-19T10:30:00")
    options = SandboxOptions(history_days=90, clock=Clock(start + timedelta(days=90)))
    with client_of(options) as client:
        guide = ids(client.leads(since="2025-12-01T00:00:00Z", perPage=50))
        atlas = ids(client.leads(createdAtTo="2026-01-01T00:00:00Z"))
        named = ids(client.leads(id=["lead_987654"]))
        options.clock.now += timedelta(seconds=1)  # type: ignore[attr-defined]
        forgotten = ids(client.leads(id=["lead_987654"]))
    kept = [lead for lead in NEWEST_FIRST if lead.created_at >= start]
    assert guide[-1] == "lead_987654"
    assert [text for text in atlas if text in {lead.lead_id for lead in kept}] == ids(
        rendered(sound(kept), atlas_record, client)
    )
    assert atlas[-1] == "lead_987654"
    assert named == ["lead_987654"]
    assert forgotten == []


@pytest.mark.parametrize(
    ("parameters", "render"), [(ALL_GUIDE, guide_record), (ALL_ATLAS, atlas_record)]
)
def test_the_oldest_can_come_first(
    parameters: dict[str, str], render: Callable[[SandboxLead, str], Record]
) -> None:
    options = SandboxOptions(first_day=DAYS[0], order="oldest", clock=Clock(utc("2025-12-21")))
    with client_of(options) as client:
        assert client.leads(perPage=7, **parameters) == rendered(LEADS, render, client)


def test_the_oldest_of_a_window_comes_first() -> None:
    options = SandboxOptions(first_day=DAYS[0], order="oldest", clock=Clock(utc("2025-12-21")))
    window = {"createdAtFrom": "2025-12-19T10:30:00Z", "createdAtTo": "2025-12-20T06:00:00Z"}
    start, end = utc("2025-12-19T10:30:00"), utc("2025-12-20T06:00:00")
    expected = [lead for lead in LEADS if start <= lead.created_at < end]
    with client_of(options) as client:
        assert client.leads(perPage=4, **window) == rendered(expected, atlas_record, client)


def test_a_few_ids_are_found_without_looking_at_all_days() -> None:
    wanted = [LEADS[3], LEADS[70], LEADS[150]]
    named = [*(lead.lead_id for lead in wanted), "lead_1", "call_lead_x", "", "call_lead_7380000"]
    with (
        mock.patch("pf_pipeline.sandbox.days.leads_of_day", wraps=leads_of_day) as invent,
        client_of(SandboxOptions(clock=Clock(utc("2026-02-01")))) as client,
    ):
        found = client.leads(id=named)
    assert found == rendered(wanted[::-1], atlas_record, client)
    assert sorted(call.args[1] for call in invent.call_args_list) == DAYS


def test_ids_and_windows_combine(client: Client) -> None:
    named = [LEADS[3].lead_id, LEADS[70].lead_id]
    assert ids(client.leads(id=named, createdAtFrom="2025-12-19T00:00:00Z")) == named[1:]


def test_no_lead_of_the_future_is_served() -> None:
    now = utc("2025-12-19T10:29:59")
    options = SandboxOptions(first_day=DAYS[0], clock=Clock(now))
    with client_of(options) as client:
        served = client.leads()
    expected = [lead for lead in NEWEST_FIRST if lead.created_at <= now]
    assert 60 < len(expected) < 120
    assert served == rendered(expected, guide_record, client)


def test_a_lead_appears_at_the_instant_of_its_creation() -> None:
    clock = Clock(GUIDE_SAMPLE.created_at - timedelta(microseconds=1))
    with client_of(SandboxOptions(clock=clock)) as client:
        before = ids(client.leads(since="2025-12-19T00:00:00Z"))
        clock.now = GUIDE_SAMPLE.created_at
        after = ids(client.leads(since="2025-12-19T00:00:00Z"))
    assert "lead_987654" not in before
    assert after[0] == "lead_987654"


def test_since_now_is_empty_even_if_a_lead_was_created_now() -> None:
    with client_of(SandboxOptions(clock=Clock(GUIDE_SAMPLE.created_at))) as client:
        assert client.leads(since="2025-12-19T10:30:00Z") == []


def test_no_lead_comes_after_the_last_day() -> None:
    options = SandboxOptions(first_day=DAYS[0], last_day=DAYS[1], clock=Clock(utc("2026-02-01")))
    with client_of(options) as client:
        assert ids(client.leads()) == ids(rendered(NEWEST_FIRST[60:], guide_record, client))


def test_history_begins_in_december_2025() -> None:
    options = SandboxOptions(leads_per_day=5, clock=Clock(utc("2025-12-05")))
    with client_of(options) as client:
        instants = [record["createdAt"] for record in client.leads() if isinstance(record, dict)]
    assert len(instants) == 20
    assert datetime.fromisoformat(min(instants)).date() == date(2025, 12, 1)


def test_links_lead_to_the_host_that_the_client_used(client: Client) -> None:
    answer = client.session.get(
        f"{client.sandbox.base_url}/v1/leads",
        params=ALL_ATLAS,
        headers={"Host": "portal.test:8080", "Authorization": "Bearer sandbox-token"},
        timeout=10,
    )
    links = [
        record["responseLink"]
        for record in answer.json()["data"]
        if isinstance(record, dict) and record.get("responseLink")
    ]
    assert links
    assert all(link.startswith("http://portal.test:8080/respond/") for link in links)


def test_links_lead_to_the_public_address_where_one_is_chosen() -> None:
    options = SandboxOptions(public_url="http://127.0.0.1:8640", clock=Clock(utc("2025-12-03")))
    with client_of(options) as client:
        links = [
            record["recordingUrl"]
            for record in client.leads(channel="call")
            if isinstance(record, dict) and record.get("recordingUrl")
        ]
    assert links
    assert all(link.startswith("http://127.0.0.1:8640/recordings/") for link in links)
