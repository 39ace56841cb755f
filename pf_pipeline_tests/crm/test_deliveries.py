"""A batch of deliveries in the CRM: leads, recordings, rejects and cursor, all or nothing."""

import duckdb
import pytest

from pf_pipeline.crm.statements import recordings
from pf_pipeline.leads.observing import Observed
from pf_pipeline_tests.crm.builders import (
    AGENTS,
    DAY,
    NOON,
    PROPERTIES,
    RECORDING,
    SARAH,
    CrmFile,
    after,
    guide_lead,
    lead,
    rows_of,
    seen,
)

INBOX, OTHER_INBOX = "inbox-1", "inbox-2"


def deliver(crm: CrmFile, batch: Observed, number: int, inbox: str = INBOX) -> None:
    with crm.open() as warehouse:
        warehouse.load_deliveries(batch.observations, batch.rejected, inbox_id=inbox, number=number)


def cursor(crm: CrmFile, inbox: str = INBOX) -> int:
    with crm.open() as warehouse:
        return warehouse.webhook_cursor(inbox)


def test_a_delivered_lead_stands_assigned_with_its_recording(crm: CrmFile) -> None:
    crm.refresh(properties=PROPERTIES, agents=AGENTS)
    deliver(crm, seen(guide_lead(channel="call", recordingUrl=RECORDING), by="webhook"), 1)
    assert crm.lead()["agent_id"] == SARAH
    assert crm.recording()["recording_url"] == RECORDING


def test_the_cursor_moves_with_the_rows_and_never_back(crm: CrmFile) -> None:
    assert cursor(crm) == 0
    deliver(crm, seen(lead("a"), by="webhook"), 7)
    deliver(crm, seen(lead("b"), by="webhook"), 3)
    assert cursor(crm) == 7
    assert len(crm.rows("leads")) == 2


def test_each_inbox_has_its_own_cursor(crm: CrmFile) -> None:
    deliver(crm, seen(lead("a"), by="webhook"), 7)
    assert cursor(crm, OTHER_INBOX) == 0
    deliver(crm, seen(lead("b"), by="webhook"), 2, OTHER_INBOX)
    assert (cursor(crm), cursor(crm, OTHER_INBOX)) == (7, 2)


def test_a_batch_without_a_lead_moves_the_cursor_too(crm: CrmFile) -> None:
    deliver(crm, seen({"id": "a"}, by="webhook"), 4)
    assert cursor(crm) == 4
    assert [row["received_from"] for row in crm.rows("rejected_leads")] == ["webhook"]


def test_a_batch_that_fails_at_its_end_leaves_nothing(
    crm: CrmFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(crm, seen(lead("a"), by="webhook"), 1)
    before = crm.tables()
    monkeypatch.setattr(recordings, "KEEP_RECORDING_EVENTS", "SELECT nonsense")
    batch = seen(guide_lead(recordingUrl=RECORDING), {"id": "c"}, by="webhook")
    with pytest.raises(duckdb.Error):
        deliver(crm, batch, 2)
    assert (crm.tables(), cursor(crm)) == (before, 1)


def test_a_batch_loaded_once_more_changes_nothing(crm: CrmFile) -> None:
    batch = seen(guide_lead(channel="call", recordingUrl=RECORDING), {"id": "c"}, by="webhook")
    deliver(crm, batch, 2)
    before = crm.tables()
    deliver(crm, batch, 2)
    assert crm.tables() == before


# ---- rejects


def rejected_ids(crm: CrmFile) -> list[str]:
    return [row["lead_id"] for row in crm.rows("rejected_leads")]


def test_a_reject_that_a_later_reading_settles_goes(crm: CrmFile) -> None:
    deliver(crm, seen({"id": "a"}, {"id": "b"}, by="webhook"), 2)
    once_more = seen(lead("a"), {"id": "b"}, by="webhook")
    with crm.open() as warehouse:
        warehouse.load_leads(
            once_more.observations,
            once_more.rejected,
            days=[DAY],
            deliveries_until={DAY: NOON},
        )
    assert rejected_ids(crm) == ["b"]


def test_a_reject_that_arrived_after_what_was_read_stays(crm: CrmFile) -> None:
    deliver(crm, seen({"id": "a"}, by="webhook"), 1)
    deliver(crm, seen({"id": "late"}, at=after(5), by="webhook"), 2)
    read = seen(by="webhook")
    with crm.open() as warehouse:
        warehouse.load_leads(
            read.observations, read.rejected, days=[DAY], deliveries_until={DAY: after(1)}
        )
    assert rejected_ids(crm) == ["late"]


def test_the_arrival_of_a_reject_is_the_first_whatever_came_in_first(crm: CrmFile) -> None:
    for minutes in (5, 1, 9):
        deliver(crm, seen({"id": "a"}, at=after(minutes), by="webhook"), minutes)
    (row,) = crm.rows("rejected_leads")
    assert row["received_at"] == after(1)


# ---- ways


def test_it_is_known_by_which_way_a_lead_came_and_when(crm: CrmFile) -> None:
    deliver(crm, seen(lead("both"), lead("delivered"), at=after(1), by="webhook"), 1)
    crm.load(seen(lead("both"), lead("polled"), at=after(5)))
    crm.load(seen(lead("both"), lead("polled"), at=after(9)))
    crm.load(seen(lead("of another day", createdAt="2025-12-18T10:00:00Z"), at=after(9)))
    with crm.open() as warehouse:
        found = warehouse.arrivals([NOON.date()])
    assert set(found["day"]) == {NOON.date()}
    ways = {row["lead_id"]: (row["polled_at"], row["delivered_at"]) for row in rows_of(found)}
    assert ways == {
        "both": (after(5), after(1)),
        "delivered": (None, after(1)),
        "polled": (after(5), None),
    }
