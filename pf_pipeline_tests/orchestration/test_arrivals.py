"""Which leads came by polls alone, and how late; only where the webhook is in use."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd

from pf_pipeline.orchestration.arrivals import Arrivals, compare

DAY = date(2025, 12, 19)
NOON = datetime(2025, 12, 19, 12, tzinfo=UTC)
EVENING = NOON + timedelta(hours=8)
INSTANT = pd.DatetimeTZDtype("us", "UTC")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def arrived(*leads: tuple[str, datetime, datetime | None, datetime | None]) -> pd.DataFrame:
    """Leads with their creation, their first poll and their first delivery."""
    frame = pd.DataFrame(leads, columns=["lead_id", "created_at", "polled_at", "delivered_at"])
    frame.insert(0, "day", [created.date() for _, created, _, _ in leads])
    return frame.astype(dict.fromkeys(["created_at", "polled_at", "delivered_at"], INSTANT))


def compared(
    arrivals: pd.DataFrame,
    *,
    delivery_days: tuple[date, ...] = (DAY,),
    first_delivery: datetime | None = NOON - timedelta(days=9),
    now: datetime = EVENING,
) -> Arrivals | None:
    return compare(
        arrivals, [DAY], delivery_days=delivery_days, first_delivery=first_delivery, now=now
    ).get(DAY)


BOTH = ("a", NOON, NOON + minutes(4), NOON + minutes(0.1))
BY_WEBHOOK = ("b", NOON, None, NOON + minutes(0.1))
BY_POLL = ("c", NOON, NOON + minutes(4), None)
LATE = ("d", NOON, NOON + minutes(60), None)


def test_leads_that_a_delivery_brought_are_fine() -> None:
    found = compared(arrived(BOTH, BY_WEBHOOK))
    assert found is not None
    assert (found.leads, len(found.poll_only)) == (2, 0)


def test_leads_that_only_a_poll_brought_are_named_with_their_delay() -> None:
    found = compared(arrived(BOTH, BY_POLL, LATE))
    assert found is not None
    assert found.leads == 3
    assert list(found.poll_only["lead_id"]) == ["c", "d"]
    assert (found.median_delay, found.longest_delay) == (minutes(32), minutes(60))


def test_a_day_is_not_compared_where_no_receiver_is_in_use() -> None:
    leads = arrived(BY_POLL)
    assert compared(leads, delivery_days=(), first_delivery=None) is None
    long_ago = DAY - timedelta(days=8)
    assert compared(leads, delivery_days=(long_ago,)) is None
    after = DAY + timedelta(days=1)
    assert compared(leads, delivery_days=(after,)) is None


def test_a_day_without_a_delivery_after_days_with_some_is_compared() -> None:
    found = compared(arrived(BY_POLL), delivery_days=(DAY - timedelta(days=2),))
    assert found is not None
    assert list(found.poll_only["lead_id"]) == ["c"]


def test_leads_from_before_the_first_delivery_are_not_compared() -> None:
    found = compared(arrived(BY_POLL, BOTH), first_delivery=NOON + minutes(1))
    assert found is not None
    assert found.leads == 0


def test_a_delivery_may_still_be_under_way() -> None:
    soon, later = NOON + minutes(13), NOON + minutes(14)
    for now, alone in ((soon, []), (later, ["c"])):
        found = compared(arrived(BY_POLL), now=now)
        assert found is not None
        assert list(found.poll_only["lead_id"]) == alone


def test_a_day_without_leads_is_fine() -> None:
    found = compared(arrived())
    assert found is not None
    assert (found.leads, len(found.poll_only)) == (0, 0)
