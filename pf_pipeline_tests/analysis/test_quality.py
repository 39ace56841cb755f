"""What to mend: by hand, and as plain Python finds it."""

import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from functools import cache

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.analysis import arrival_delays, unassigned_backlog, unmatched_references
from pf_pipeline.leads.references import normalise_reference
from pf_pipeline_tests.analysis.builders import (
    FEW_EXAMPLES,
    INSTANTS,
    Row,
    at,
    leads,
    many_leads,
    observations,
    properties,
)

LEAST_SIMILARITY, ROUNDING = 0.6, 1e-9
NOW = at("2025-12-20 08:00")
REFERENCES = st.text("AB1-", min_size=1, max_size=5)


def test_the_backlog_by_hand() -> None:
    # Two leads wait for the same reason, the older one since the 18th: two days until the 20th.
    some = leads(
        {"assignment_reason": "no listing", "created_at": at("2025-12-19 08:00")},
        {"assignment_reason": "no listing", "created_at": at("2025-12-18 08:00")},
        {"assignment_reason": "inactive", "created_at": at("2025-12-20 02:00")},
        {"assignment_reason": "owns it", "agent_id": "A-01"},
    )
    found = unassigned_backlog(some, NOW)
    assert [*found.drop(columns="oldest_at").itertuples(index=False, name=None)] == [
        ("no listing", 2, 2.0),
        ("inactive", 1, 0.25),
    ]
    assert found["oldest_at"].tolist() == [at("2025-12-18 08:00"), at("2025-12-20 02:00")]


@FEW_EXAMPLES
@given(many_leads(assignment_reason=st.sampled_from(["x", "y"])))
def test_the_backlog_as_plain_python_counts_it(rows: list[Row]) -> None:
    waiting: dict[object, list[datetime]] = defaultdict(list)
    for row in rows:
        if row["agent_id"] is None:
            waiting[row["assignment_reason"]].append(row["created_at"])  # type: ignore[arg-type]
    found = unassigned_backlog(leads(*rows), NOW)
    assert {reason: (n, oldest) for reason, n, oldest, _ in found.itertuples(index=False)} == {
        reason: (len(instants), min(instants)) for reason, instants in waiting.items()
    }


def test_the_backlog_when_nobody_has_anything() -> None:
    found = unassigned_backlog(leads({"assignment_reason": "x"}, {"assignment_reason": "x"}), NOW)
    assert found["leads"].tolist() == [2]


def test_unmatched_references_by_hand() -> None:
    # "apt-12" becomes APT-13 by changing one of six letters: 1 - 1/6. Of "OLD" three of six letters
    # would have to change or come: 1/2 at best, which is nothing alike. R-1 has a property.
    some = leads(
        {"listing_reference": "apt-12"},
        {"listing_reference": "OLD"},
        {"listing_reference": "OLD"},
        {"listing_reference": "R-1", "property_ref": "R-1"},
        {},
    )
    found = unmatched_references(some, properties("APT-13", "VILLA9", "R-1"))
    assert found["listing_reference"].tolist() == ["OLD", "apt-12"]
    assert found["leads"].tolist() == [2, 1]
    assert found["closest_reference"].fillna("none").tolist() == ["none", "APT-13"]
    assert found["similarity"].fillna(-1).tolist() == [-1, pytest.approx(5 / 6)]


def test_only_the_commonest_references_are_told() -> None:
    some = leads(*({"listing_reference": f"R-{n}"} for n in (1, 2, 2, 3)))
    assert unmatched_references(some, properties("R-9"), most=1)["listing_reference"].tolist() == [
        "R-2"
    ]


@cache
def edits(one: str, other: str) -> int:
    """Letters to change, add or leave out (Levenshtein)."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return edits(one[1:], other[1:])
    return 1 + min(edits(one[1:], other), edits(one, other[1:]), edits(one[1:], other[1:]))


@FEW_EXAMPLES
@given(st.lists(REFERENCES, max_size=6), st.lists(REFERENCES, max_size=6))
def test_the_closest_reference_as_plain_python_finds_it(asked: list[str], known: list[str]) -> None:
    found = unmatched_references(
        leads(*({"listing_reference": reference} for reference in asked)), properties(*known)
    )
    assert dict(zip(found["listing_reference"], found["leads"], strict=True)) == {
        reference: asked.count(reference) for reference in asked
    }
    closest = found["closest_reference"].fillna("")
    for reference, other, told in zip(
        found["listing_reference"], closest, found["similarity"].fillna(0.0), strict=True
    ):
        best = max((similarity(reference, one) for one in known), default=0.0)
        if not other:
            assert best < LEAST_SIMILARITY + ROUNDING
        else:
            assert other in known
            assert best > LEAST_SIMILARITY - ROUNDING
            assert told == pytest.approx(best)
            assert similarity(reference, other) == pytest.approx(best)


def similarity(one: str, other: str) -> float:
    keys = normalise_reference(one), normalise_reference(other)
    return 1 - edits(*keys) / max(map(len, keys))


def test_delays_by_hand() -> None:
    # Polls saw three leads after 60, 120 and 300 seconds: the median is 120. Of "a" the second
    # sighting does not count. "d" was seen two days later, by a backfill. No webhook came.
    made = at("2025-12-19 08:00")
    after = {"a": 60, "b": 120, "c": 300, "d": 2 * 86_400}
    rows = [(id_, "poll", made + timedelta(seconds=s), made) for id_, s in after.items()]
    found = arrival_delays(observations(*rows, ("a", "poll", made + timedelta(hours=2), made)))
    assert found["observed_by"].tolist() == ["poll", "webhook"]
    assert found["leads"].tolist() == [3, 0]
    assert found["median_seconds"].fillna(-1).tolist() == [120, -1]


def test_delays_of_webhooks_alone() -> None:
    made = at("2025-12-19 08:00")
    found = arrival_delays(observations(("a", "webhook", made + timedelta(seconds=2), made)))
    assert found["leads"].tolist() == [0, 1]
    assert found["median_seconds"].fillna(-1).tolist() == [-1, 2]


@FEW_EXAMPLES
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["poll", "webhook"]), st.integers(0, 2 * 86_400)
        ),
        max_size=12,
    ),
    INSTANTS,
)
def test_delays_as_plain_python_reckons_them(
    drawn: list[tuple[str, str, int]], made: datetime
) -> None:
    first: dict[str, dict[str, int]] = {"poll": {}, "webhook": {}}
    for lead, way, seconds in drawn:
        first[way][lead] = min(seconds, first[way].get(lead, seconds))
    rows = [(lead, way, made + timedelta(seconds=s), made) for lead, way, s in drawn]
    found = arrival_delays(observations(*rows))
    for way, count, median in found[["observed_by", "leads", "median_seconds"]].itertuples(
        index=False
    ):
        timely = [seconds for seconds in first[way].values() if seconds <= 86_400]
        assert count == len(timely)
        assert pd.isna(median) if not timely else median == statistics.median(timely)
