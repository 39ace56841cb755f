import pandas as pd
import pytest

from pf_pipeline.crm import Loaded
from pf_pipeline_tests.crm.builders import (
    DAY,
    LINA,
    NEXT_DAY,
    NOON,
    OMAR,
    OMARS_REFERENCE,
    OTHER_RECORDING,
    RECORDING,
    SAMPLE,
    SARAH,
    SARAHS_REFERENCE,
    CrmFile,
    after,
    lead,
    on_listing,
    seen,
)


def load_recordings(crm: CrmFile, *lead_ids: str) -> Loaded:
    with crm.open() as warehouse:
        return warehouse.load_call_recordings(pd.Series(lead_ids, dtype="str"))


def test_a_recording_stands_with_its_times_and_the_leads_agent(crm: CrmFile) -> None:
    call = {"talkTime": 63, "waitTime": 5, "recordFile": RECORDING}
    crm.load(seen(lead(call=call, **on_listing(SARAHS_REFERENCE))))
    assert crm.rows("call_recordings") == [
        {
            "lead_id": SAMPLE,
            "recording_url": RECORDING,
            "talk_seconds": 63,
            "wait_seconds": 5,
            "agent_id": SARAH,
            "first_seen_at": NOON,
        }
    ]


@pytest.mark.parametrize("field", ["recordingUrl", "recording_url", "callRecording"])
def test_the_guides_unnamed_field_is_stored_under_whatever_name(crm: CrmFile, field: str) -> None:
    crm.load(seen(lead(**{field: RECORDING})))
    assert crm.recording()["recording_url"] == RECORDING


def test_a_call_without_a_recording_has_no_row(crm: CrmFile) -> None:
    crm.load(seen(lead(call={"talkTime": 63, "recordFile": ""})))
    assert crm.rows("call_recordings") == []


def test_a_recording_that_appears_a_day_later_fills_in(crm: CrmFile) -> None:
    crm.load(seen(lead(call={"talkTime": 63})))
    crm.load(
        seen(lead(call={"talkTime": 63, "recordFile": RECORDING}), at=after(24 * 60), day=NEXT_DAY),
        days=[NEXT_DAY],
    )
    row = crm.recording()
    assert (row["recording_url"], row["talk_seconds"]) == (RECORDING, 63)
    assert row["first_seen_at"] == after(24 * 60)


def test_a_recording_is_kept_when_later_polls_do_not_carry_it(crm: CrmFile) -> None:
    crm.load(seen(lead(call={"talkTime": 63, "waitTime": 5, "recordFile": RECORDING})))
    before = crm.rows("call_recordings")
    crm.load(seen(lead(), at=after(5)))
    crm.load(seen(lead(status="replied"), at=after(9), by="webhook"))
    assert load_recordings(crm, SAMPLE) == Loaded(0, 0, 1)
    assert crm.rows("call_recordings") == before


def test_a_recording_that_the_portal_replaced_is_the_newer_one(crm: CrmFile) -> None:
    crm.load(seen(lead(recordingUrl=RECORDING)))
    crm.load(seen(lead(recordingUrl=OTHER_RECORDING), at=after(5)))
    row = crm.recording()
    assert (row["recording_url"], row["first_seen_at"]) == (OTHER_RECORDING, NOON)


def test_a_newer_recording_is_not_turned_back_by_an_older_poll_that_arrives_late(
    crm: CrmFile,
) -> None:
    crm.load(seen(lead(recordingUrl=OTHER_RECORDING), at=after(5)))
    crm.load(seen(lead(recordingUrl=RECORDING)))
    row = crm.recording()
    assert (row["recording_url"], row["first_seen_at"]) == (OTHER_RECORDING, NOON)


def test_a_load_says_how_many_recordings_are_new_changed_and_as_they_were(crm: CrmFile) -> None:
    def load(*records: object, minutes: int) -> Loaded:
        observed = seen(*records, at=after(minutes))
        with crm.open() as warehouse:
            warehouse.load_leads(observed.observations, observed.rejected, days=[DAY])
            return warehouse.load_call_recordings(observed.observations["lead_id"])

    with_a, with_b = lead("a", recordingUrl=RECORDING), lead("b", recordingUrl=RECORDING)
    changed_a = lead("a", recordingUrl=OTHER_RECORDING)
    assert load(with_a, with_b, lead("silent"), minutes=0) == Loaded(2, 0, 0)
    assert load(changed_a, with_b, lead("c", recordingUrl=RECORDING), minutes=5) == Loaded(1, 1, 1)


def test_only_the_recordings_of_the_asked_leads_are_loaded(crm: CrmFile) -> None:
    observed = seen(lead("a", recordingUrl=RECORDING), lead("b", recordingUrl=RECORDING))
    with crm.open() as warehouse:
        warehouse.load_leads(observed.observations, observed.rejected, days=[DAY])
    assert load_recordings(crm, "a", "a", "nobody") == Loaded(1, 0, 0)
    assert [row["lead_id"] for row in crm.rows("call_recordings")] == ["a"]


def test_asking_for_no_lead_loads_nothing(crm: CrmFile) -> None:
    crm.load(seen(lead(recordingUrl=RECORDING)))
    before = crm.tables()
    assert load_recordings(crm) == Loaded(0, 0, 0)
    assert crm.tables() == before


def test_a_recording_follows_its_lead_to_another_agent(crm: CrmFile) -> None:
    crm.load(seen(lead(recordingUrl=RECORDING, **on_listing(SARAHS_REFERENCE))))
    crm.load(seen(lead(recordingUrl=RECORDING, **on_listing(OMARS_REFERENCE)), at=after(5)))
    assert crm.recording()["agent_id"] == OMAR


def test_a_recording_follows_its_lead_to_the_agent_whom_a_person_chose(crm: CrmFile) -> None:
    crm.load(seen(lead(recordingUrl=RECORDING, **on_listing(SARAHS_REFERENCE))))
    crm.by_hand("UPDATE crm.leads SET agent_id = ?", LINA)
    crm.load(seen(lead(recordingUrl=RECORDING, **on_listing(SARAHS_REFERENCE)), at=after(5)))
    assert crm.recording()["agent_id"] == LINA


def test_a_recording_of_a_lead_without_agent_has_none(crm: CrmFile) -> None:
    crm.load(seen(lead(recordingUrl=RECORDING)))
    assert crm.recording()["agent_id"] is None
