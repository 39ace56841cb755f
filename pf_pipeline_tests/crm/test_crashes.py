import random
import shutil
import time
from pathlib import Path

from pf_pipeline.leads.observing import Observed
from pf_pipeline_tests.crm.builders import (
    OMARS_REFERENCE,
    RECORDING,
    SARAHS_REFERENCE,
    UNKNOWN_REFERENCE,
    CrmFile,
    Record,
    after,
    guide_lead,
    lead,
    on_listing,
    seen,
)
from pf_pipeline_tests.crm.other_processes import (
    hold,
    hold_a_transaction,
    load_for_ever,
    other_process,
)

DEATHS = 16
LEADS_A_BATCH = 60
LONGEST_REMAINING_LIFE = 0.1
"""Seconds; about what one load takes."""

REFERENCES = (SARAHS_REFERENCE, OMARS_REFERENCE, UNKNOWN_REFERENCE, None)


def record(number: int, status: str, *, recorded: bool) -> Record:
    reference = REFERENCES[number % len(REFERENCES)]
    return lead(
        f"lead_{number}",
        status=status,
        recordingUrl=RECORDING if recorded else None,
        **on_listing(reference) if reference else {},
    )


def batches_of(generation: int) -> list[Observed]:
    """Leads that are new, that change, and that are no leads."""
    numbers = range(generation * LEADS_A_BATCH, (generation + 1) * LEADS_A_BATCH)
    of_before = range(max(0, numbers.start - LEADS_A_BATCH), numbers.start)
    at = after(generation * 10)
    return [
        seen(*(record(n, "sent", recorded=False) for n in numbers), at=at),
        seen(*(record(n, "read", recorded=n % 2 == 0) for n in (*of_before, *numbers)), at=at),
        seen(*(record(n, "replied", recorded=True) for n in of_before), lead("x", createdAt="?")),
    ]


def half_leads(crm: CrmFile) -> list[str]:
    """Leads of which one table tells what another one does not."""
    return [
        row["lead_id"]
        for row in crm.query(
            """
            SELECT lead_id
            FROM crm.leads AS leads
            WHERE
                NOT EXISTS (FROM crm.lead_events WHERE lead_id = leads.lead_id AND kind = 'status')
                OR (agent_id IS NOT NULL) <> (assignment_rule <> 'unassigned')
                OR (agent_id IS NOT NULL) <> EXISTS (
                    FROM crm.lead_events
                    WHERE lead_id = leads.lead_id AND kind = 'agent' AND value = leads.agent_id
                )
            UNION ALL
            SELECT lead_id FROM crm.lead_events ANTI JOIN crm.leads USING (lead_id)
            UNION ALL
            SELECT lead_id FROM crm.call_recordings ANTI JOIN crm.leads USING (lead_id)
            """
        )
    ]


def test_loads_that_are_killed_at_any_moment_and_repeated_leave_what_whole_ones_leave(
    crm: CrmFile, tmp_path: Path
) -> None:
    whole = CrmFile(tmp_path / "whole" / "crm.duckdb")
    whole.path.parent.mkdir()
    shutil.copy(crm.path, whole.path)
    generations = [batches_of(generation) for generation in range(DEATHS)]
    moments = random.Random()  # noqa: S311 - any moment will do
    standing = []
    for generation, batches in enumerate(generations):
        with other_process(load_for_ever, crm, batches) as loading:
            for _ in range(generation % (len(batches) + 1)):
                loading.wait_until_ready()
            time.sleep(moments.uniform(0, LONGEST_REMAINING_LIFE))
            loading.kill()
        with crm.open():
            pass
        assert half_leads(crm) == []
        standing.append(len(crm.rows("leads")))
    assert 0 < standing[-1] < DEATHS * LEADS_A_BATCH, "some died before, some after a first load"
    everything = [batch for batches in generations for batch in batches]
    crm.load(*everything)
    whole.load(*everything)
    assert crm.tables() == whole.tables()
    assert len(whole.rows("leads")) == DEATHS * LEADS_A_BATCH


def test_what_was_written_but_not_committed_is_not_there_after_a_crash(crm: CrmFile) -> None:
    crm.load(seen(guide_lead(recordingUrl=RECORDING)))
    before = crm.tables()
    work = (
        "UPDATE crm.leads SET agent_id = 'somebody', status = 'replied'",
        "INSERT INTO crm.lead_events SELECT 'x' || i, 'status', '', now() FROM range(5000) AS t(i)",
        "DELETE FROM crm.call_recordings",
    )
    with other_process(hold_a_transaction, crm, *work) as other:
        other.kill()
    with crm.open():
        pass
    assert crm.tables() == before


def test_what_was_loaded_is_there_after_a_crash_before_the_crm_was_closed(crm: CrmFile) -> None:
    with other_process(hold, crm, seen(guide_lead()), seen(lead("second"))) as other:
        other.kill()
    # It is in the file itself: no log has to be taken along, or read at the next opening.
    assert not crm.path.with_name("crm.duckdb.wal").exists()
    with crm.open():
        pass
    assert [row["lead_id"] for row in crm.rows("leads")] == [guide_lead()["id"], "second"]


def test_a_crash_while_the_crm_is_made_leaves_one_that_can_be_used(tmp_path: Path) -> None:
    crm = CrmFile(tmp_path / "crm.duckdb")
    with other_process(hold_a_transaction, crm, "CREATE TABLE leads (lead_id VARCHAR)") as other:
        other.kill()
    crm.load(seen(guide_lead()))
    assert crm.lead()["name"] == "John Doe"
