"""Atlas refuses a start that is older than three months."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.portal import HORIZON, PortalClient, StaticToken, clamped_start
from pf_pipeline.portal.dialects import leads_query
from pf_pipeline.sandbox import SandboxOptions, running_sandbox

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2026, 5, 1), timezones=st.just(UTC))  # noqa: DTZ001
CLOCKS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS, INSTANTS, CLOCKS)
def test_no_query_begins_beyond_the_horizon_or_is_empty(
    start: datetime, end: datetime, now: datetime
) -> None:
    query = dict(leads_query("atlas", start, end, number=1, now=now))
    first = datetime.fromisoformat(query["createdAtFrom"])
    assert first >= now - HORIZON
    assert first < datetime.fromisoformat(query["createdAtTo"])


@given(INSTANTS, CLOCKS)
def test_a_start_is_moved_only_as_far_as_the_horizon_demands(
    start: datetime, now: datetime
) -> None:
    clamped = clamped_start("atlas", start, now)
    assert clamped >= start
    if clamped != start:
        assert timedelta() < clamped - (now - HORIZON) <= timedelta(hours=1)
    assert clamped_start("guide", start, now) == start


def test_a_recent_start_is_sent_as_it_is() -> None:
    start = NOW - timedelta(days=88)
    assert clamped_start("atlas", start, NOW) == start
    query = dict(leads_query("atlas", start, NOW, number=1, now=NOW))
    assert query["createdAtFrom"] == "2026-02-02T12:00:00Z"


def test_the_guide_has_no_horizon() -> None:
    query = dict(leads_query("guide", datetime(2020, 1, 1, tzinfo=UTC), NOW, number=1, now=NOW))
    assert query["since"] == "2019-12-31T23:59:59Z"


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_instants_without_a_time_zone_are_refused(dialect: str) -> None:
    naive = NOW.replace(tzinfo=None)
    for start, now in ((naive, NOW), (NOW, naive)):
        if dialect == "atlas" or now is naive:
            with pytest.raises(ValueError, match="time zone"):
                clamped_start("atlas", start, now)
    with pytest.raises(ValueError, match="time zone"):
        leads_query("atlas" if dialect == "atlas" else "guide", naive, NOW, number=1, now=NOW)


class Advancing:
    """A clock of which minutes pass with every look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=3)
        return self.now


def test_a_horizon_that_moves_during_a_pass_does_not_become_a_bad_request() -> None:
    clock = Advancing()
    options = SandboxOptions(
        first_day=(NOW - HORIZON).date(),
        last_day=NOW.date(),
        leads_per_day=10,
        history_days=HORIZON.days,
        clock=lambda: clock.now,
    )
    with (
        running_sandbox(options) as sandbox,
        PortalClient(
            sandbox.base_url,
            StaticToken("sandbox-token"),
            dialect="atlas",
            attempts=1,
            parallel=1,
            clock=clock,
        ) as client,
    ):
        walk = client.walk(NOW - timedelta(days=120), NOW)
        pages = list(walk)
    assert len(pages) > 10
    assert walk.outcome.distinct > 800


def test_a_span_wholly_beyond_the_horizon_is_one_request() -> None:
    options = SandboxOptions(history_days=HORIZON.days, clock=lambda: NOW)
    with (
        running_sandbox(options) as sandbox,
        PortalClient(
            sandbox.base_url, StaticToken("sandbox-token"), dialect="atlas", clock=lambda: NOW
        ) as client,
    ):
        walk = client.walk(NOW - timedelta(days=120), NOW - timedelta(days=119))
        assert len(list(walk)) == 1
        assert walk.outcome.complete
