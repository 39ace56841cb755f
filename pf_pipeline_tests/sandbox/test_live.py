from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.sandbox import SandboxOptions, leads_of_day
from pf_pipeline.sandbox.live import (
    MAX_LEADS_PER_MINUTE,
    day_of_live_number,
    leads_of_minute,
    minutes_between,
)
from pf_pipeline_tests.sandbox.client import Client, Clock, Parameter, client_of, utc

NOW = utc("2026-01-14T10:20:30")
DAY = date(2026, 1, 14)
ATLAS = {"createdAtFrom": "2026-01-01T00:00:00Z"}

minutes = st.integers(min_value=0, max_value=40_000_000).map(
    lambda count: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=count)
)


@given(st.integers(), minutes, st.integers(min_value=0, max_value=30))
def test_a_minute_has_so_many_leads_within_it(seed: int, minute: datetime, count: int) -> None:
    leads = leads_of_minute(seed, minute, count)
    instants = [lead.created_at for lead in leads]
    assert len({lead.lead_id for lead in leads}) == count
    assert instants == sorted(instants)
    assert all(minute <= instant < minute + timedelta(minutes=1) for instant in instants)
    assert leads == leads_of_minute(seed, minute, count)


@given(minutes)
def test_the_number_of_a_live_lead_tells_its_day(minute: datetime) -> None:
    for lead in leads_of_minute(1, minute, 3):
        assert day_of_live_number(int(lead.lead_id.rpartition("_")[2])) == minute.date()


def test_numbers_of_days_and_minutes_are_apart() -> None:
    for day in (date(2025, 12, 1), date(2040, 12, 31)):
        for lead in leads_of_day(1, day, 50):
            number = lead.lead_id.rpartition("_")[2]
            assert lead.lead_id == "lead_987654" or day_of_live_number(int(number)) is None


def test_neighbouring_minutes_share_no_id() -> None:
    first, second = (
        {lead.lead_id for lead in leads_of_minute(1, minute, MAX_LEADS_PER_MINUTE)}
        for minute in (NOW.replace(second=0), NOW.replace(second=0, minute=21))
    )
    assert not {text.rpartition("_")[2] for text in first} & {
        text.rpartition("_")[2] for text in second
    }


@pytest.mark.parametrize("count", [-1, MAX_LEADS_PER_MINUTE + 1])
def test_an_impossible_count_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 1000"):
        leads_of_minute(1, NOW, count)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("10:20:30", "10:20:31", ["10:20"]),
        ("10:20:30", "10:21:00", ["10:20"]),
        ("10:20:30", "10:21:01", ["10:20", "10:21"]),
        ("10:21:00", "10:21:00", []),
        ("10:21:00", "10:20:00", []),
    ],
)
def test_minutes_that_a_window_touches(start: str, end: str, expected: list[str]) -> None:
    touched = minutes_between(utc(f"2026-01-14T{start}"), utc(f"2026-01-14T{end}"))
    assert [f"{minute:%H:%M}" for minute in touched] == expected


def ids(client: Client, **parameters: Parameter) -> list[str]:
    return [
        record["id"]
        for record in client.leads(**{**ATLAS, **parameters})
        if isinstance(record, dict) and record.get("id")
    ]


def live_ids(seconds: int, per_minute: int = 30) -> list[str]:
    """What came in within so many seconds after the start, newest first."""
    end = NOW + timedelta(seconds=seconds)
    leads = [
        lead
        for minute in minutes_between(NOW, end + timedelta(seconds=1))
        for lead in leads_of_minute(1, minute, per_minute)
        if NOW < lead.created_at <= end
    ]
    return [lead.lead_id for lead in reversed(leads)]


@pytest.mark.parametrize("seconds", [0, 1, 29, 30, 90, 3_600])
def test_live_leads_come_at_their_instants(seconds: int) -> None:
    clock = Clock(NOW)
    options = SandboxOptions(
        leads_per_day=1, first_day=date(2026, 1, 13), last_day=date(2026, 1, 13), clock=clock,
        live_per_minute=30,
    )  # fmt: skip
    with client_of(options) as client:
        base = ids(client)
        clock.now = NOW + timedelta(seconds=seconds)
        assert ids(client) == live_ids(seconds) + base
        assert client.get("/v1/leads", **ATLAS).json()["pagination"]["total"] == 1 + len(
            live_ids(seconds)
        )


def test_live_leads_are_there_on_top_of_those_of_the_day_in_order() -> None:
    clock = Clock(NOW)
    options = SandboxOptions(leads_per_day=200, first_day=DAY, clock=clock, live_per_minute=5)
    with client_of(options) as client:
        clock.now = NOW + timedelta(hours=2)
        served = [record for record in client.leads(**ATLAS) if isinstance(record, dict)]
    instants = [datetime.fromisoformat(record["createdAt"]) for record in served
                if record.get("createdAt", "")[:1].isdigit()]  # fmt: skip
    assert instants == sorted(instants, reverse=True)
    of_day = {lead.lead_id for lead in leads_of_day(1, DAY, 200) if lead.created_at <= clock.now}
    live = set(live_ids(7_200, 5))
    assert len(live) > 590
    assert {record.get("id") for record in served} - {None} <= of_day | live
    assert live <= {record.get("id") for record in served}


def test_pages_drift_under_live_traffic() -> None:
    clock = Clock(NOW)
    options = SandboxOptions(leads_per_day=60, first_day=DAY, clock=clock, live_per_minute=60)
    with client_of(options) as client:
        first = client.get("/v1/leads", page=1, perPage=10, **ATLAS).json()["data"]
        clock.now = NOW + timedelta(seconds=10)
        second = client.get("/v1/leads", page=2, perPage=10, **ATLAS).json()["data"]
        came = len(live_ids(10, 60)) + sum(
            NOW < lead.created_at <= clock.now for lead in leads_of_day(1, DAY, 60)
        )
    assert 0 < came < 20
    assert second[max(0, came - 10) : came] == first[max(0, 10 - came) : 20 - came]


def test_a_pinned_upper_bound_stops_the_drift() -> None:
    clock = Clock(NOW)
    options = SandboxOptions(leads_per_day=60, first_day=DAY, clock=clock, live_per_minute=60)
    bound = "2026-01-14T10:20:30Z"
    with client_of(options) as client:
        before = ids(client, createdAtTo=bound)
        clock.now = NOW + timedelta(minutes=10)
        assert ids(client, createdAtTo=bound) == before


def test_live_leads_are_found_by_id_and_on_later_days() -> None:
    clock = Clock(NOW)
    options = SandboxOptions(leads_per_day=1, first_day=DAY, clock=clock, live_per_minute=2)
    wanted = live_ids(3_600, 2)[10]
    with client_of(options) as client:
        clock.now = NOW + timedelta(minutes=1)
        assert ids(client, id=[wanted]) == []
        for days in (0.5, 3, 100):
            clock.now = NOW + timedelta(days=days)
            assert ids(client, id=[wanted]) == [wanted]


def test_live_leads_surface_late_and_change_too() -> None:
    clock = Clock(NOW)
    options = SandboxOptions(
        first_day=DAY, clock=clock, live_per_minute=20, late_share=1.0, leads_change=True
    )
    live = set(live_ids(600, 20))
    with client_of(options) as client:
        clock.now = NOW + timedelta(minutes=10)
        early = live & set(ids(client))
        clock.now = NOW + timedelta(minutes=181)
        assert early < live
        assert live <= set(ids(client))
