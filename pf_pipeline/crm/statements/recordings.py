"""The SQL that brings the call recordings of the leads in ``wanted`` up to what was observed."""

from pf_pipeline.crm.statements.common import upsert
from pf_pipeline.leads.merging import MERGE_LAW

CURRENT_RECORDINGS = f"""
CREATE OR REPLACE TEMP TABLE recordings AS
WITH
recorded AS (
    SELECT DISTINCT lead_id
    FROM pipeline.lead_observations
    SEMI JOIN wanted USING (lead_id)
    WHERE recording_url IS NOT NULL
),

observations AS (
    SELECT known.*
    FROM pipeline.lead_observations AS known
    SEMI JOIN recorded USING (lead_id)
),

merged AS (SELECT * FROM ({MERGE_LAW}))

SELECT
    merged.lead_id,
    merged.recording_url,
    merged.talk_seconds,
    merged.wait_seconds,
    leads.agent_id,
    first_recorded.first_seen_at
FROM merged
JOIN (
    SELECT lead_id, min(first_observed_at) AS first_seen_at
    FROM observations
    WHERE recording_url IS NOT NULL
    GROUP BY lead_id
) AS first_recorded USING (lead_id)
JOIN crm.leads AS leads USING (lead_id)
"""

RECORDING_COLUMNS = (
    "lead_id",
    "recording_url",
    "talk_seconds",
    "wait_seconds",
    "agent_id",
    "first_seen_at",
)

UPSERT_RECORDINGS = upsert("crm.call_recordings", RECORDING_COLUMNS, "recordings")

KEEP_RECORDING_EVENTS = """
MERGE INTO crm.lead_events AS known
USING (
    SELECT
        lead_id,
        'recording' AS kind,
        recording_url AS value,
        min(first_observed_at) AS occurred_at
    FROM pipeline.lead_observations
    SEMI JOIN recordings USING (lead_id)
    WHERE recording_url IS NOT NULL
    GROUP BY ALL
) AS seen
USING (lead_id, kind, value)
WHEN MATCHED AND seen.occurred_at < known.occurred_at
    THEN UPDATE SET occurred_at = seen.occurred_at
WHEN NOT MATCHED THEN INSERT BY NAME
"""
