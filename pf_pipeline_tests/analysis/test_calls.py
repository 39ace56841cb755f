"""Calls: by hand, and as plain Python counts them."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.analysis import answered_calls, missed_calls, recordings_coverage, talk_time
from pf_pipeline_tests.analysis.builders import FEW_EXAMPLES, Row, at, leads, many_leads, recordings

CALLS = many_leads(
    channel=st.sampled_from(["call", "whatsapp"]),
    status=st.sampled_from([None, "replied", "delivered", "read"]),
)


def test_answered_calls_by_hand() -> None:
    # Of A's four calls two were answered, one was missed, one has an odd status: 2 / 4. B has no
    # call; a call without a status tells nothing.
    some = leads(
        {"channel": "call", "status": "replied", "agent_id": "A"},
        {"channel": "call", "status": "replied", "agent_id": "A"},
        {"channel": "call", "status": "delivered", "agent_id": "A"},
        {"channel": "call", "status": "read", "agent_id": "A"},
        {"channel": "call", "status": None, "agent_id": "A"},
        {"channel": "whatsapp", "status": "replied", "agent_id": "B"},
    )
    assert [*answered_calls(some, ["agent_id"]).itertuples(index=False, name=None)] == [
        ("A", 4, 2, 1, 0.5)
    ]
    assert [*answered_calls(some).itertuples(index=False, name=None)] == [(4, 2, 1, 0.5)]


def test_of_no_call_there_is_no_rate() -> None:
    assert answered_calls(leads({"channel": "email"})).empty


@FEW_EXAMPLES
@given(CALLS)
def test_answered_calls_as_plain_python_counts_them(rows: list[Row]) -> None:
    statuses: dict[object, list[object]] = defaultdict(list)
    for row in rows:
        if row["channel"] == "call" and row["status"]:
            statuses[row["agent_id"] or "nobody"].append(row["status"])
    found = answered_calls(leads(*rows), ["agent_id"]).fillna({"agent_id": "nobody"})
    assert set(found["agent_id"]) == set(statuses)
    for agent, calls, answered, missed, rate in found.itertuples(index=False):
        counts = Counter(statuses[agent])
        assert (calls, answered, missed) == (counts.total(), counts["replied"], counts["delivered"])
        assert rate == pytest.approx(counts["replied"] / counts.total())


def test_missed_calls_are_listed_the_latest_first() -> None:
    some = leads(
        {"channel": "call", "status": "delivered", "created_at": at("2025-12-18 08:00")},
        {"channel": "call", "status": "delivered", "created_at": at("2025-12-19 08:00")},
        {"channel": "call", "status": "replied"},
        {"channel": "whatsapp", "status": "delivered"},
        {"channel": "call", "status": None},
    )
    assert missed_calls(some)["lead_id"].tolist() == ["lead-1", "lead-0"]


@FEW_EXAMPLES
@given(CALLS)
def test_missed_calls_as_plain_python_finds_them(rows: list[Row]) -> None:
    missed = [
        (row["created_at"], f"lead-{n}")
        for n, row in enumerate(rows)
        if (row["channel"], row["status"]) == ("call", "delivered")
    ]
    ordered = [lead for _, lead in sorted(missed, reverse=True)]
    assert missed_calls(leads(*rows))["lead_id"].tolist() == ordered


def test_talk_time_by_hand() -> None:
    # A spoke 60 and 120 seconds: 3 minutes, the median 90. Of B's call no time is known.
    some = recordings(
        {"lead_id": "1", "talk_seconds": 60, "wait_seconds": 5, "agent_id": "A"},
        {"lead_id": "2", "talk_seconds": 120, "wait_seconds": None, "agent_id": "A"},
        {"lead_id": "3", "agent_id": "B"},
    )
    found = talk_time(some, ["agent_id"])
    assert [*found.fillna(-1).itertuples(index=False, name=None)] == [
        ("A", 2, 3.0, 90.0, 5.0),
        ("B", 1, 0.0, -1.0, -1.0),
    ]


@FEW_EXAMPLES
@given(st.lists(st.none() | st.integers(0, 3600), max_size=8))
def test_talk_time_as_plain_python_reckons_it(seconds: list[int | None]) -> None:
    some = recordings(*({"lead_id": str(n), "talk_seconds": s} for n, s in enumerate(seconds)))
    found = talk_time(some)
    assert found["recordings"].tolist() == ([len(seconds)] if seconds else [])
    for minutes in found["talk_minutes"]:
        assert minutes == pytest.approx(sum(s or 0 for s in seconds) / 60)


def test_coverage_by_hand() -> None:
    # Three calls could be recorded (the missed one could not), and two are: 2 / 3.
    some = leads(
        {"channel": "call", "status": "replied"},
        {"channel": "call", "status": "replied"},
        {"channel": "call", "status": None},
        {"channel": "call", "status": "delivered"},
        {"channel": "whatsapp", "status": "replied"},
    )
    found = recordings_coverage(some, recordings({"lead_id": "lead-0"}, {"lead_id": "lead-2"}))
    assert [*found.itertuples(index=False, name=None)] == [(3, 2, 2 / 3)]


@FEW_EXAMPLES
@given(CALLS, st.sets(st.integers(0, 12)))
def test_coverage_as_plain_python_counts_it(rows: list[Row], recorded: set[int]) -> None:
    calls: dict[object, list[bool]] = defaultdict(list)
    for n, row in enumerate(rows):
        if row["channel"] == "call" and row["status"] != "delivered":
            calls[row["agent_id"] or "nobody"].append(n in recorded)
    found = recordings_coverage(
        leads(*rows), recordings(*({"lead_id": f"lead-{n}"} for n in recorded)), ["agent_id"]
    ).fillna({"agent_id": "nobody"})
    assert {agent: (n, of) for agent, n, of, _ in found.itertuples(index=False)} == {
        agent: (len(flags), sum(flags)) for agent, flags in calls.items()
    }
