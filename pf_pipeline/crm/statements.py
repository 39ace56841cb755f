"""The SQL of the load, one constant a step, in the order in which they run.

All run in one transaction over these relations:

* ``incoming``: observations to load, columns of :class:`pf_pipeline.leads.schema.Observation`;
* ``known_properties``, ``known_agents``: the reference data, properties with ``reference_key``.
"""

from pf_pipeline.leads.assignment import ASSIGNMENT_RULES, MERGE_AND_ASSIGN
from pf_pipeline.leads.merging import MERGE_LAW

KEEP_OBSERVATIONS = """
MERGE INTO pipeline.lead_observations AS known
USING (SELECT * EXCLUDE (times_observed) FROM incoming) AS seen
USING (lead_id, observed_by, content_id)
WHEN MATCHED AND (
    seen.first_observed_at < known.first_observed_at
    OR seen.last_observed_at > known.last_observed_at
) THEN UPDATE SET
    first_observed_at = least(known.first_observed_at, seen.first_observed_at),
    last_observed_at = greatest(known.last_observed_at, seen.last_observed_at)
WHEN NOT MATCHED THEN INSERT BY NAME
"""
"""Equal contents are one row, seen from the first instant to the last."""

AFFECTED_OBSERVATIONS = """
CREATE OR REPLACE TEMP TABLE observations AS
SELECT known.*
FROM pipeline.lead_observations AS known
SEMI JOIN incoming USING (lead_id)
"""
"""All that is known of the incoming leads, whichever way and day it came."""

ASSIGN = f"""
CREATE OR REPLACE TEMP TABLE assigned AS
WITH
properties AS (SELECT * FROM known_properties),
agents AS (SELECT * FROM known_agents)
SELECT * FROM ({MERGE_AND_ASSIGN})
"""

DECIDE = """
CREATE OR REPLACE TEMP TABLE decided AS
WITH
-- When the input that decided an assignment was first seen.
known_since AS (
    SELECT
        assigned.lead_id,
        min(observations.first_observed_at) AS assigned_at
    FROM assigned
    JOIN observations USING (lead_id)
    WHERE
        CASE assigned.assignment_rule
            WHEN 'listing_reference'
                THEN observations.listing_reference = assigned.listing_reference
            WHEN 'portal_agent'
                THEN observations.portal_agent_id = assigned.portal_agent_id
        END
    GROUP BY assigned.lead_id
),

-- Whose agent is not one that a rule ever gave was assigned by a person.
judged AS (
    SELECT
        stored.*,
        stored.assignment_rule = 'manual'
        OR (
            stored.agent_id IS NOT NULL
            AND NOT EXISTS (
                SELECT 1
                FROM crm.lead_events AS events
                WHERE
                    events.lead_id = stored.lead_id
                    AND events.kind = 'agent'
                    AND events.value = stored.agent_id
            )
        ) AS by_a_person
    FROM crm.leads AS stored
    SEMI JOIN incoming USING (lead_id)
),

kept AS (
    SELECT
        judged.*
    FROM judged
    JOIN assigned USING (lead_id)
    WHERE
        judged.by_a_person
        -- An agent keeps a lead whose listing and portal agent are what they were.
        OR (
            judged.agent_id IS NOT NULL
            AND ROW(
                judged.listing_reference, judged.portal_agent_id, judged.portal_agent_kind
            ) IS NOT DISTINCT FROM ROW(
                assigned.listing_reference, assigned.portal_agent_id, assigned.portal_agent_kind
            )
        )
)

SELECT
    assigned.* REPLACE (
        CASE WHEN kept.lead_id IS NULL THEN assigned.property_ref ELSE kept.property_ref END
            AS property_ref,
        CASE WHEN kept.lead_id IS NULL THEN assigned.agent_id ELSE kept.agent_id END AS agent_id,
        CASE
            WHEN kept.by_a_person THEN 'manual'
            WHEN kept.lead_id IS NULL THEN assigned.assignment_rule
            ELSE kept.assignment_rule
        END AS assignment_rule,
        CASE
            WHEN kept.lead_id IS NULL THEN assigned.assignment_reason
            ELSE kept.assignment_reason
        END AS assignment_reason
    ),
    CASE WHEN kept.lead_id IS NULL THEN known_since.assigned_at ELSE kept.assigned_at END
        AS assigned_at,
    kept.lead_id IS NULL AS newly_assigned
FROM assigned
LEFT JOIN kept USING (lead_id)
LEFT JOIN known_since USING (lead_id)
"""
"""A person's decision wins; an automatic one stands as long as its inputs do."""

LEAD_COLUMNS = (
    "lead_id",
    "channel",
    "status",
    "entity_type",
    "name",
    "email",
    "phone",
    "phone_e164",
    "whatsapp_username",
    "message",
    "listing_id",
    "listing_reference",
    "listing_title",
    "portal_agent_id",
    "portal_agent_kind",
    "portal_agent_name",
    "property_ref",
    "agent_id",
    "assignment_rule",
    "assignment_reason",
    "assigned_at",
    "response_link",
    "tags",
    "extra",
    "created_at",
    "first_seen_at",
    "updated_at",
)
RECORDING_COLUMNS = (
    "lead_id",
    "recording_url",
    "talk_seconds",
    "wait_seconds",
    "agent_id",
    "first_seen_at",
)


def _upsert(table: str, columns: tuple[str, ...], source: str) -> str:
    """MERGE that touches no row whose columns are what they were."""
    values = columns[1:]
    stored_row = ", ".join(f"stored.{name}" for name in values)
    new_row = ", ".join(f"new.{name}" for name in values)
    changes = ", ".join(f"{name} = new.{name}" for name in values)
    return f"""
        MERGE INTO {table} AS stored
        USING (SELECT {", ".join(columns)} FROM {source}) AS new
        USING ({columns[0]})
        WHEN MATCHED AND ROW({stored_row}) IS DISTINCT FROM ROW({new_row})
            THEN UPDATE SET {changes}
        WHEN NOT MATCHED THEN INSERT BY NAME
        RETURNING merge_action
    """


UPSERT_LEADS = _upsert("crm.leads", LEAD_COLUMNS, "decided")

KEEP_EVENTS = f"""
MERGE INTO crm.lead_events AS known
USING (
    WITH
    -- What was known of the inputs at each observation, from the oldest to the latest.
    so_far AS (
        SELECT
            lead_id,
            first_observed_at,
            last_value(listing_reference IGNORE NULLS) OVER up_to_here AS listing_reference,
            last_value(reference_key IGNORE NULLS) OVER up_to_here AS reference_key,
            last_value(portal_agent_id IGNORE NULLS) OVER up_to_here AS portal_agent_id,
            last_value(portal_agent_kind IGNORE NULLS) OVER up_to_here AS portal_agent_kind
        FROM observations
        SEMI JOIN (SELECT lead_id FROM decided WHERE newly_assigned) USING (lead_id)
        WINDOW up_to_here AS (
            PARTITION BY lead_id
            ORDER BY last_observed_at, observed_by = 'poll', content_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ),

    leads AS (SELECT * FROM so_far),

    properties AS (SELECT * FROM known_properties),

    agents AS (SELECT * FROM known_agents),

    changes AS (
        SELECT lead_id, 'status' AS kind, status AS value, first_observed_at
        FROM observations
        UNION ALL
        SELECT lead_id, 'agent', agent_id, first_observed_at
        FROM ({ASSIGNMENT_RULES})
    )

    SELECT lead_id, kind, value, min(first_observed_at) AS occurred_at
    FROM changes
    WHERE value IS NOT NULL
    GROUP BY ALL
) AS seen
USING (lead_id, kind, value)
WHEN MATCHED AND seen.occurred_at < known.occurred_at
    THEN UPDATE SET occurred_at = seen.occurred_at
WHEN NOT MATCHED THEN INSERT BY NAME
"""

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

UPSERT_RECORDINGS = _upsert("crm.call_recordings", RECORDING_COLUMNS, "recordings")

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

REMOVE_SETTLED_REJECTS = """
DELETE FROM crm.rejected_leads AS known
WHERE
    received_from = 'poll'
    AND list_contains($days, partition_key)
    AND NOT EXISTS (
        SELECT 1
        FROM rejected
        WHERE
            rejected.partition_key = known.partition_key
            AND rejected.raw = known.raw
            AND rejected.reason = known.reason
    )
"""

ADD_NEW_REJECTS = """
INSERT INTO crm.rejected_leads BY NAME
SELECT received_from, partition_key, lead_id, reason, raw, received_at
FROM rejected
WHERE NOT EXISTS (
    SELECT 1
    FROM crm.rejected_leads AS known
    WHERE
        known.received_from = rejected.received_from
        AND known.partition_key = rejected.partition_key
        AND known.raw = rejected.raw
        AND known.reason = rejected.reason
)
"""

RETRY_UNASSIGNED = f"""
CREATE OR REPLACE TEMP TABLE retried AS
WITH
reference_keys AS (
    SELECT DISTINCT listing_reference, reference_key
    FROM pipeline.lead_observations
    WHERE reference_key IS NOT NULL
),

leads AS (
    SELECT
        waiting.lead_id,
        waiting.listing_reference,
        reference_keys.reference_key,
        waiting.portal_agent_id,
        waiting.portal_agent_kind
    FROM crm.leads AS waiting
    LEFT JOIN reference_keys USING (listing_reference)
    WHERE waiting.agent_id IS NULL AND waiting.assignment_rule <> 'manual'
),

properties AS (SELECT * FROM known_properties),

agents AS (SELECT * FROM known_agents)

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
