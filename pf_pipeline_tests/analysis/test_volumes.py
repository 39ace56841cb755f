"""How many leads: by hand, and as plain Python counts them."""

from collections import Counter
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.analysis import (
    hide_small_samples,
    leads_by_agent,
    leads_by_channel,
    leads_by_day,
    leads_by_hour_and_weekday,
    leads_by_listing,
    leads_per_listing_week,
    repeat_inquirers,
)
from pf_pipeline_tests.analysis.builders import (
    CAIRO,
    DUBAI,
    FEW_EXAMPLES,
    TIMEZONES,
    Row,
    at,
    leads,
    many_leads,
    properties,
)

TIMEZONE = st.sampled_from(TIMEZONES)


def local_days(rows: list[Row], timezone: str) -> list[date]:
    return [row["created_at"].astimezone(ZoneInfo(timezone)).date() for row in rows]  # type: ignore[attr-defined]


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def days_and_counts(figures: pd.DataFrame) -> list[tuple[date, int]]:
    return [(day.date(), count) for day, count in figures[["day", "leads"]].itertuples(index=False)]


def test_a_day_is_that_of_the_time_zone_and_days_between_count_nothing() -> None:
    # 21:00 UTC on the 17th is 01:00 on the 18th in Dubai, four hours ahead; 19:00 is still the
    # 17th there. Nobody asked on the 19th; one lead is of the 20th.
    some = leads(
        {"created_at": at("2025-12-17 19:00")},
        {"created_at": at("2025-12-17 21:00")},
        {"created_at": at("2025-12-20 05:00")},
    )
    assert days_and_counts(leads_by_day(some, DUBAI)) == [
        (date(2025, 12, 17), 1),
        (date(2025, 12, 18), 1),
        (date(2025, 12, 19), 0),
        (date(2025, 12, 20), 1),
    ]


def test_a_day_without_midnight_is_a_day() -> None:
    # In Cairo clocks went from 00:00 to 01:00 on 2025-04-25: 22:30 UTC on the 24th is 01:30.
    some = leads({"created_at": at("2025-04-24 22:30")}, {"created_at": at("2025-04-24 21:30")})
    assert days_and_counts(leads_by_day(some, CAIRO)) == [
        (date(2025, 4, 24), 1),
        (date(2025, 4, 25), 1),
    ]


@FEW_EXAMPLES
@given(many_leads(), TIMEZONE)
def test_days_as_plain_python_counts_them(rows: list[Row], timezone: str) -> None:
    counts = Counter(local_days(rows, timezone))
    first = min(counts, default=date(2025, 1, 1))
    every_day = [
        first + timedelta(days=n) for n in range((max(counts, default=first) - first).days + 1)
    ]
    expected = [(day, counts[day]) for day in every_day] if rows else []
    assert days_and_counts(leads_by_day(leads(*rows), timezone)) == expected


def test_channels_by_hand() -> None:
    # Three of four leads are calls: three quarters.
    some = leads(
        {"channel": "call"}, {"channel": "email"}, {"channel": "call"}, {"channel": "call"}
    )
    assert [*leads_by_channel(some).itertuples(index=False, name=None)] == [
        ("call", 3, 0.75),
        ("email", 1, 0.25),
    ]


def test_hours_by_hand() -> None:
    # 2025-12-19 is a Friday; 20:30 UTC is half past midnight on Saturday (5) in Dubai.
    found = leads_by_hour_and_weekday(leads({"created_at": at("2025-12-19 20:30")}), DUBAI)
    assert len(found) == 7 * 24
    asked = found[found["leads"] > 0]
    assert [*asked.itertuples(index=False, name=None)] == [(5, 0, 1)]


@FEW_EXAMPLES
@given(many_leads(), TIMEZONE)
def test_hours_as_plain_python_counts_them(rows: list[Row], timezone: str) -> None:
    local = [row["created_at"].astimezone(ZoneInfo(timezone)) for row in rows]  # type: ignore[attr-defined]
    counts = Counter((instant.weekday(), instant.hour) for instant in local)
    found = leads_by_hour_and_weekday(leads(*rows), timezone)
    assert [*found.itertuples(index=False, name=None)] == [
        (weekday, hour, counts[weekday, hour]) for weekday in range(7) for hour in range(24)
    ]


def test_listings_by_hand() -> None:
    # Two leads of R-2 and one of R-1; the lead of an unknown reference belongs to no listing.
    some = leads(
        {"property_ref": "R-1"},
        {"property_ref": "R-2"},
        {"property_ref": "R-2"},
        {"listing_reference": "gone"},
    )
    assert [*leads_by_listing(some).itertuples(index=False, name=None)] == [
        ("R-2", 2, 2 / 3),
        ("R-1", 1, 1 / 3),
    ]


def test_leads_that_nobody_has_are_a_row_of_their_own() -> None:
    found = leads_by_agent(leads({"agent_id": "A-01"}, {}, {}))
    assert found["leads"].tolist() == [2, 1]
    assert found["agent_id"].fillna("nobody").tolist() == ["nobody", "A-01"]


@FEW_EXAMPLES
@given(many_leads())
def test_agents_as_plain_python_counts_them(rows: list[Row]) -> None:
    counts = Counter(row["agent_id"] for row in rows)
    found = leads_by_agent(leads(*rows))
    told = zip(
        found["agent_id"].astype(object).where(found["agent_id"].notna(), None),
        found["leads"],
        strict=True,
    )
    assert dict(told) == counts
    assert found["leads"].is_monotonic_decreasing
    assert found["share"].tolist() == [count / len(rows) for count in found["leads"]]


def test_leads_a_listing_and_week_by_hand() -> None:
    # 2025-12-15 is a Monday. From Saturday the 13th to Tuesday the 16th: two days of one week, two
    # of the next. The first week has 2 leads of 4 listings in 2 of 7 days: 2 / 2 * 7 / 4 = 1.75.
    # The second has 1: 1 / 2 * 7 / 4 = 0.875. The lead of a listing that is gone does not count.
    some = leads(
        {"created_at": at("2025-12-13 08:00"), "property_ref": "R-1"},
        {"created_at": at("2025-12-14 08:00"), "property_ref": "R-1"},
        {"created_at": at("2025-12-14 08:00"), "property_ref": "sold"},
        {"created_at": at("2025-12-16 08:00"), "property_ref": "R-2"},
    )
    found = leads_per_listing_week(some, properties("R-1", "R-2", "R-3", "R-4"), DUBAI)
    assert [(week.date(), *rest) for week, *rest in found.itertuples(index=False)] == [
        (date(2025, 12, 8), 2, 2, 1.75),
        (date(2025, 12, 15), 1, 2, 0.875),
    ]


@FEW_EXAMPLES
@given(many_leads(property_ref=st.sampled_from([None, "R-1", "R-2"])), TIMEZONE)
def test_listing_weeks_as_plain_python_counts_them(rows: list[Row], timezone: str) -> None:
    days = local_days(rows, timezone)
    first, last = min(days, default=date.max), max(days, default=date.min)
    every_day = [first + timedelta(days=n) for n in range((last - first).days + 1)] if rows else []
    lengths = Counter(map(monday, every_day))
    known = Counter(monday(day) for day, row in zip(days, rows, strict=True) if row["property_ref"])
    found = leads_per_listing_week(leads(*rows), properties("R-1", "R-2"), timezone)
    assert [(week.date(), *rest) for week, *rest in found.itertuples(index=False)] == [
        (week, known[week], lengths[week], pytest.approx(known[week] / lengths[week] * 7 / 2))
        for week in sorted(lengths)
    ]


def test_without_listings_there_is_no_rate() -> None:
    found = leads_per_listing_week(leads({"property_ref": "R-1"}), properties(), DUBAI)
    assert found["leads_per_listing"].isna().all()


def test_who_asks_again_by_hand() -> None:
    # +1 asked twice, about two listings, with one agent; an email stands in for a missing phone.
    some = leads(
        {
            "phone_e164": "+1",
            "property_ref": "R-1",
            "agent_id": "A",
            "created_at": at("2025-12-19 08:00"),
        },
        {
            "phone_e164": "+1",
            "property_ref": "R-2",
            "agent_id": "A",
            "created_at": at("2025-12-18 08:00"),
        },
        {"phone_e164": "+2", "email": "x"},
        {"email": "x"},
        {"email": "x", "agent_id": "B"},
        {"email": "x", "agent_id": "A"},
        {},
        {},
    )
    found = repeat_inquirers(some)
    counts = ["person", "leads", "listings", "agents"]
    assert [*found[counts].itertuples(index=False, name=None)] == [("x", 3, 0, 2), ("+1", 2, 2, 1)]
    assert found["first_at"][1] == at("2025-12-18 08:00")
    assert found["last_at"][1] == at("2025-12-19 08:00")


@FEW_EXAMPLES
@given(
    many_leads(
        phone_e164=st.sampled_from([None, "+1", "+2"]), email=st.sampled_from([None, "a", "b"])
    )
)
def test_who_asks_again_as_plain_python_counts_them(rows: list[Row]) -> None:
    people = Counter(row["phone_e164"] or row["email"] for row in rows)
    expected = {person: count for person, count in people.items() if person and count > 1}
    found = repeat_inquirers(leads(*rows))
    assert dict(zip(found["person"], found["leads"], strict=True)) == expected
    for person, first, last in found[["person", "first_at", "last_at"]].itertuples(index=False):
        instants = [
            row["created_at"] for row in rows if (row["phone_e164"] or row["email"]) == person
        ]
        assert (first, last) == (min(instants), max(instants))  # type: ignore[type-var]


def test_small_samples_are_hidden() -> None:
    figures = pd.DataFrame({"agent_id": ["A", "B"], "leads": [9, 10]})
    assert hide_small_samples(figures)["agent_id"].tolist() == ["B"]
    assert hide_small_samples(figures, least=9)["agent_id"].tolist() == ["A", "B"]
