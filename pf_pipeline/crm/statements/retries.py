"""The SQL that tries the assignment rules again for every lead without an agent."""

from pf_pipeline.crm.statements.common import BY_A_PERSON
from pf_pipeline.leads.assignment import ASSIGNMENT_RULES

RETRY_UNASSIGNED = f"""
CREATE OR REPLACE TEMP TABLE retried AS
WITH
reference_keys AS (
    SELECT listing_reference, min(reference_key) AS reference_key
    FROM pipeline.lead_observations
    WHERE reference_key IS NOT NULL
    GROUP BY listing_reference
),

leads AS (
    SELECT
        stored.lead_id,
        stored.listing_reference,
        reference_keys.reference_key,
        stored.portal_agent_id,
        stored.portal_agent_kind
    FROM crm.leads AS stored
    LEFT JOIN reference_keys USING (listing_reference)
    LEFT JOIN pipeline.given_agents AS given ON stored.lead_id = given.lead_id
    WHERE stored.agent_id IS NULL AND NOT {BY_A_PERSON}
)

SELECT lead_id, property_ref, agent_id, assignment_rule, assignment_reason
FROM ({ASSIGNMENT_RULES})
"""

UPDATE_RETRIED = """
UPDATE crm.leads AS stored
SET
    property_ref = retried.property_ref,
    agent_id = retried.agent_id,
    assignment_rule = retried.assignment_rule,
    assignment_reason = retried.assignment_reason,
    assigned_at = CASE WHEN retried.agent_id IS NOT NULL THEN $now::TIMESTAMPTZ END
FROM retried
WHERE
    stored.lead_id = retried.lead_id
    AND (
        retried.agent_id IS NOT NULL
        OR stored.assignment_reason IS DISTINCT FROM retried.assignment_reason
    )
"""

KEEP_RETRIED_AGENTS = """
MERGE INTO pipeline.given_agents AS known
USING (SELECT lead_id, agent_id FROM retried WHERE agent_id IS NOT NULL) AS new
USING (lead_id)
WHEN MATCHED THEN UPDATE SET agent_id = new.agent_id
WHEN NOT MATCHED THEN INSERT BY NAME
"""

KEEP_RETRIED_EVENTS = """
INSERT INTO crm.lead_events BY NAME
SELECT lead_id, 'agent' AS kind, agent_id AS value, $now::TIMESTAMPTZ AS occurred_at
FROM retried
WHERE agent_id IS NOT NULL
ON CONFLICT DO NOTHING
"""

UPDATE_RETRIED_RECORDINGS = """
UPDATE crm.call_recordings AS stored
SET agent_id = retried.agent_id
FROM retried
WHERE stored.lead_id = retried.lead_id AND retried.agent_id IS NOT NULL
"""
