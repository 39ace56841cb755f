"""Speed to lead: by hand, and as plain Python reckons it, minute by minute where it must be."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.analysis import (
    OfficeHours,
    first_replies,
    speed_to_lead,
    watched_leads,
    within_office_hours,
)
from pf_pipeline_tests.analysis.builders import (
    CAIRO,
    DUBAI,
    FEW_EXAMPLES,
    INSTANTS,
    TIMEZONES,
    Row,
    at,
    events,
    leads,
    many_leads,
)

WAITS = st.none() | st.integers(0, 4 * 24 * 60)
"""Minutes until a reply, or none."""


def replied(rows: Sequence[Row], waits: Sequence[int | None]) -> pd.DataFrame:
    """Leads with their first replies, so many minutes after they were made."""
    found = [
        (f"lead-{n}", "replied", made_at(row) + timedelta(minutes=wait))
        for n, (row, wait) in enumerate(zip(rows, waits, strict=True))
        if wait is not None
    ]
    return first_replies(leads(*rows), events(*found))


def made_at(row: Row) -> datetime:
    created = row["created_at"]
    assert isinstance(created, datetime)
    return created


def test_the_first_reply_counts_and_other_statuses_do_not() -> None:
    # Made at 8:00, read at 8:02, replied to at 8:30 and (by another reading) at 9:00: 30 minutes.
    some = leads({}, {})
    found = first_replies(
        some,
        events(
            ("lead-0", "replied", at("2025-12-19 09:00")),
            ("lead-0", "replied", at("2025-12-19 08:30")),
            ("lead-0", "read", at("2025-12-19 08:02")),
            ("lead-1", "read", at("2025-12-19 08:02")),
            ("somebody-else", "replied", at("2025-12-19 08:01")),
        ),
    )
    assert found["minutes"].fillna(-1).tolist() == [30, -1]
    assert found["replied_at"][0] == at("2025-12-19 08:30")


def test_an_agent_who_is_called_replied_is_no_reply() -> None:
    named = events(("lead-0", "replied", at("2025-12-19 08:30"))).assign(kind="agent")
    assert first_replies(leads({}), named)["minutes"].isna().all()


def test_a_reply_before_the_lead_takes_no_time() -> None:
    found = first_replies(leads({}), events(("lead-0", "replied", at("2025-12-19 07:59"))))
    assert found["minutes"].tolist() == [0]


def test_speed_by_hand() -> None:
    # Five leads: after 4, 10, 20 and 100 minutes, and never. The median of 4, 10, 20, 100 lies
    # between 10 and 20: 15. The 90th percentile lies at place 0.9 * 3 = 2.7: 20 + 0.7 * 80 = 76.
    # Within 5 minutes 1 of 5, within 15 minutes 2 of 5, within 1 h 3 of 5; never 1 of 5.
    found = speed_to_lead(
        replied([{"created_at": at("2025-12-19 08:00")}] * 5, [4, 10, 20, 100, None])
    )
    assert found.to_dict("records") == [
        {
            "leads": 5,
            "replied": 4,
            "median_minutes": 15.0,
            "p90_minutes": pytest.approx(76.0),
            "within_5_min": 0.2,
            "within_15_min": 0.4,
            "within_1_h": 0.6,
            "never": 0.2,
        }
    ]


def test_exactly_five_minutes_are_within_five_minutes() -> None:
    found = speed_to_lead(replied([{"created_at": at("2025-12-19 08:00")}] * 2, [5, 6]))
    assert found["within_5_min"].tolist() == [0.5]


def test_of_no_lead_there_is_no_speed() -> None:
    assert speed_to_lead(replied([], [])).empty


def test_leads_that_nobody_has_stand_apart() -> None:
    rows: list[Row] = [
        {"created_at": at("2025-12-19 08:00"), "agent_id": id_} for id_ in ("A", None)
    ]
    found = speed_to_lead(replied(rows, [1, None]), ["agent_id"])
    assert found["agent_id"].fillna("nobody").tolist() == ["A", "nobody"]
    assert found["never"].tolist() == [0, 1]


@FEW_EXAMPLES
@given(st.lists(st.tuples(st.sampled_from([None, "A", "B"]), WAITS), max_size=12))
def test_speed_as_plain_python_reckons_it(drawn: list[tuple[str | None, int | None]]) -> None:
    rows: list[Row] = [
        {"created_at": at("2025-12-19 08:00"), "agent_id": agent} for agent, _ in drawn
    ]
    found = speed_to_lead(replied(rows, [wait for _, wait in drawn]), ["agent_id"])
    groups: dict[str, list[int | None]] = defaultdict(list)
    for agent, wait in drawn:
        groups[agent or "nobody"].append(wait)
    assert set(found["agent_id"].fillna("nobody")) == set(groups)
    for row in found.fillna({"agent_id": "nobody"}).itertuples():
        waits = groups[str(row.agent_id)]
        known = sorted(wait for wait in waits if wait is not None)
        assert (row.leads, row.replied) == (len(waits), len(known))
        assert row.never == pytest.approx(waits.count(None) / len(waits))
        assert row.within_15_min == pytest.approx(sum(w <= 15 for w in known) / len(waits))
        if known:
            assert row.median_minutes == pytest.approx(statistics.median(known))
            assert row.p90_minutes == pytest.approx(percentile(known, 0.9))


def percentile(ordered: list[int], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def office_minutes(created: datetime, reply: datetime, timezone: str, hours: OfficeHours) -> float:
    """Office time day by day, by the clocks on the wall."""
    start, end = (i.astimezone(ZoneInfo(timezone)).replace(tzinfo=None) for i in (created, reply))
    total, day = timedelta(), start.date()
    while day <= end.date():
        if day.weekday() in hours.weekdays:
            opens, closes = (datetime.combine(day, clock) for clock in (hours.opens, hours.closes))
            total += max(timedelta(), min(end, closes) - max(start, opens))
        day += timedelta(days=1)
    return total.total_seconds() / 60


def test_a_night_is_no_office_time_by_hand() -> None:
    # In Dubai (UTC+4): made on Thursday at 17:30, answered on Friday at 9:10. By the clock that is
    # 15 h 40 min = 940 minutes; the office was open from 17:30 to 18:00 and from 9:00 to 9:10: 40.
    replies = replied([{"created_at": at("2025-12-18 13:30")}], [940])
    assert replies["minutes"].tolist() == [940]
    assert within_office_hours(replies, DUBAI)["minutes"].tolist() == [40]


def test_a_sunday_is_no_office_day_by_hand() -> None:
    # Made on Saturday at 18:00, when the office closes; answered on Monday at 9:00, when it opens.
    replies = replied([{"created_at": at("2025-12-20 14:00")}], [39 * 60])
    assert within_office_hours(replies, DUBAI)["minutes"].tolist() == [0]
    week = OfficeHours(time(9), time(18), frozenset(range(7)))
    assert within_office_hours(replies, DUBAI, week)["minutes"].tolist() == [9 * 60]


def test_office_hours_are_those_of_the_clocks_when_they_go_forward() -> None:
    # Cairo, clocks forward in the night to Friday 2025-04-25. Made on Thursday at 17:00 (UTC+2,
    # 15:00 UTC), answered on Friday at 10:00 (UTC+3, 7:00 UTC): 16 h by the clock; of the office
    # one hour until 18:00 and one from 9:00 on.
    replies = replied([{"created_at": at("2025-04-24 15:00")}], [16 * 60])
    assert within_office_hours(replies, CAIRO)["minutes"].tolist() == [120]


@FEW_EXAMPLES
@given(
    st.lists(st.tuples(INSTANTS, WAITS), max_size=6),
    st.sampled_from(TIMEZONES),
    st.builds(
        OfficeHours,
        st.times(max_value=time(11)).map(lambda t: t.replace(second=0, microsecond=0)),
        st.times(min_value=time(12)).map(lambda t: t.replace(second=0, microsecond=0)),
        st.frozensets(st.integers(0, 6)),
    ),
)
def test_office_hours_as_plain_python_reckons_them(
    drawn: list[tuple[datetime, int | None]], timezone: str, hours: OfficeHours
) -> None:
    rows: list[Row] = [{"created_at": created} for created, _ in drawn]
    found = within_office_hours(replied(rows, [wait for _, wait in drawn]), timezone, hours)
    expected = [
        None
        if wait is None
        else office_minutes(created, created + timedelta(minutes=wait), timezone, hours)
        for created, wait in drawn
    ]
    assert [None if pd.isna(m) else m for m in found["minutes"]] == [
        None if m is None else pytest.approx(m, abs=1e-6) for m in expected
    ]


@FEW_EXAMPLES
@given(many_leads(first_seen_at=INSTANTS, status=st.sampled_from([None, "sent", "replied"])))
def test_only_leads_that_were_seen_soon_and_have_a_status_are_watched(rows: list[Row]) -> None:
    expected = [
        f"lead-{n}"
        for n, row in enumerate(rows)
        if row["status"] and row["first_seen_at"] - row["created_at"] <= timedelta(hours=1)  # type: ignore[operator]
    ]
    assert watched_leads(leads(*rows))["lead_id"].tolist() == expected
