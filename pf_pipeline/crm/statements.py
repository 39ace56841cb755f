"""The SQL of the load, one constant a step, in the order in which they run.

All run in one transaction over these relations:

* ``incoming``: observations to load, columns of :class:`pf_pipeline.leads.schema.Observation`;
* ``known_properties``, ``known_agents``, ``known_portal_users``, ``known_portal_listings``: the
  reference data, see :class:`pf_pipeline.leads.assignment.ReferenceData`.
"""

from pf_pipeline.leads.assignment import ASSIGNMENT_RULES, MERGE_AND_ASSIGN
from pf_pipeline.leads.merging import MERGE_LAW

SEEN_BEFORE = """
CREATE OR REPLACE TEMP TABLE seen_before AS
SELECT lead_id, observed_by, content_id, first_observed_at, last_observed_at
FROM pipeline.lead_observations
SEMI JOIN incoming USING (lead_id)
"""
"""What was known of the incoming leads before this load."""

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

NEWS = """
CREATE OR REPLACE TEMP TABLE news AS
SELECT
    lead_id,
    count(*) AS contents,
    bool_or(seen_before.lead_id IS NOT NULL) AS known_before,
    bool_or(
        observations.first_observed_at IS DISTINCT FROM seen_before.first_observed_at
    ) AS renewed,
    -- Anything but the latest contents was seen again, and may be the latest now.
    coalesce(
        count_if(observations.last_observed_at > seen_before.last_observed_at) > 1
        OR min(seen_before.last_observed_at)
            FILTER (observations.last_observed_at > seen_before.last_observed_at)
        <= max(seen_before.last_observed_at)
            FILTER (observations.last_observed_at = seen_before.last_observed_at),
        FALSE
    ) AS reordered
FROM observations
LEFT JOIN seen_before USING (lead_id, observed_by, content_id)
GROUP BY lead_id
"""
"""Which leads this load says more of than that they still are what they were."""

REFERENCE_DATA = """
properties AS (SELECT * FROM known_properties),
agents AS (SELECT * FROM known_agents),
portal_users AS (SELECT * FROM known_portal_users),
portal_listings AS (SELECT * FROM known_portal_listings)
"""
"""The reference data under the names by which the assignment rules know it."""

ASSIGN = f"""
CREATE OR REPLACE TEMP TABLE assigned AS
WITH
{REFERENCE_DATA}
SELECT * FROM ({MERGE_AND_ASSIGN})
"""

BY_A_PERSON = """
(
    stored.assignment_rule = 'manual'
    OR (
        stored.agent_id IS DISTINCT FROM given.agent_id
        AND NOT (stored.agent_id IS NULL AND stored.assignment_rule = 'unassigned')
    )
)
"""
"""Whether a person decided: the agent, or that there is none, is not what the rules gave last.

Who wants the rules to decide again clears the agent and writes 'unassigned'.
"""

DECIDE = f"""
CREATE OR REPLACE TEMP TABLE decided AS
WITH
judged AS (
    SELECT stored.*, {BY_A_PERSON} AS by_a_person
    FROM crm.leads AS stored
    SEMI JOIN incoming USING (lead_id)
    LEFT JOIN pipeline.given_agents AS given USING (lead_id)
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
),

-- When the input that decided an assignment was first seen, by what is known now, and by what was
-- known before this load.
known_since AS (
    SELECT
        assigned.lead_id,
        min(observations.first_observed_at) AS assigned_at,
        min(seen_before.first_observed_at) AS assigned_at_before
    FROM assigned
    JOIN news USING (lead_id)
    LEFT JOIN kept USING (lead_id)
    JOIN observations USING (lead_id)
    LEFT JOIN seen_before
        ON
            observations.lead_id = seen_before.lead_id
            AND observations.observed_by = seen_before.observed_by
            AND observations.content_id = seen_before.content_id
    WHERE
        (news.renewed OR kept.lead_id IS NULL)
        AND CASE coalesce(kept.assignment_rule, assigned.assignment_rule)
            WHEN 'listing_reference'
                THEN observations.listing_reference = assigned.listing_reference
            WHEN 'portal_listing'
                THEN observations.listing_reference = assigned.listing_reference
            WHEN 'portal_agent'
                THEN
                    observations.portal_agent_id = assigned.portal_agent_id
                    AND observations.portal_agent_kind = assigned.portal_agent_kind
        END
    GROUP BY assigned.lead_id
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
    CASE
        WHEN kept.lead_id IS NULL THEN known_since.assigned_at
        -- An older observation that comes late moves the instant, as if it had come in time.
        WHEN NOT kept.by_a_person AND kept.assigned_at = known_since.assigned_at_before
            THEN known_since.assigned_at
        ELSE kept.assigned_at
    END AS assigned_at,
    kept.lead_id IS NULL AS newly_assigned,
    coalesce(kept.by_a_person, FALSE) AS by_a_person
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

KEEP_GIVEN_AGENTS = """
MERGE INTO pipeline.given_agents AS known
USING (SELECT lead_id, agent_id FROM decided WHERE newly_assigned) AS new
USING (lead_id)
WHEN MATCHED AND known.agent_id IS DISTINCT FROM new.agent_id
    THEN UPDATE SET agent_id = new.agent_id
WHEN NOT MATCHED AND new.agent_id IS NOT NULL THEN INSERT BY NAME
"""

KEEP_EVENTS = f"""
MERGE INTO crm.lead_events AS known
USING (
    WITH
    -- The observations as they stand now, and as they stood before this load.
    states AS (
        SELECT
            lead_id,
            observed_by,
            content_id,
            first_observed_at,
            last_observed_at,
            status,
            listing_id,
            listing_reference,
            reference_key,
            portal_agent_id,
            portal_agent_kind,
            'now' AS state
        FROM observations
        SEMI JOIN (SELECT lead_id FROM news WHERE renewed OR reordered) USING (lead_id)
        UNION ALL
        SELECT
            seen_before.*,
            observations.status,
            observations.listing_id,
            observations.listing_reference,
            observations.reference_key,
            observations.portal_agent_id,
            observations.portal_agent_kind,
            'before' AS state
        FROM observations
        JOIN seen_before USING (lead_id, observed_by, content_id)
        SEMI JOIN (SELECT lead_id FROM news WHERE renewed OR reordered) USING (lead_id)
    ),

    -- Leads whose history may read differently now; that of the others is "decided" itself.
    retold AS (
        SELECT lead_id
        FROM news
        JOIN decided USING (lead_id)
        WHERE
            NOT by_a_person
            AND (renewed OR reordered)
            AND (contents > 1 OR known_before)
    ),

    moments AS (
        SELECT *, first_observed_at AS moment
        FROM states
        SEMI JOIN retold USING (lead_id)
        UNION ALL
        SELECT *, last_observed_at
        FROM states
        SEMI JOIN retold USING (lead_id)
        WHERE last_observed_at > first_observed_at
    ),

    ordered AS (
        SELECT
            *,
            -- The order of the merge law.
            row_number() OVER (
                PARTITION BY lead_id, state
                ORDER BY
                    moment,
                    observed_by = 'poll',
                    coalesce(list_position(['sent', 'delivered', 'read', 'replied'], status), 0),
                    content_id
            ) AS position,
            CASE
                WHEN listing_reference IS NOT NULL
                    THEN {{'reference': listing_reference, 'key': reference_key}}
            END AS own_listing,
            CASE
                WHEN portal_agent_id IS NOT NULL
                    THEN {{'id': portal_agent_id, 'kind': portal_agent_kind}}
            END AS portal_agent
        FROM moments
    ),

    -- A listing that is named by its id alone has the reference that was last heard of it.
    completed AS (
        SELECT
            *,
            coalesce(
                own_listing,
                last_value(own_listing IGNORE NULLS) OVER (
                    PARTITION BY lead_id, state, listing_id
                    ORDER BY position
                ),
                {{'reference': NULL, 'key': NULL}}
            ) AS listing
        FROM ordered
    ),

    -- What was known of the inputs at each moment, by the merge law, and since when.
    known AS (
        SELECT
            lead_id,
            state,
            max(first_observed_at) OVER up_to_here AS known_since,
            last_value(
                CASE
                    WHEN listing_id IS NOT NULL OR listing_reference IS NOT NULL THEN listing
                END IGNORE NULLS
            ) OVER up_to_here AS listing,
            last_value(portal_agent IGNORE NULLS) OVER up_to_here AS portal_agent
        FROM completed
        WINDOW up_to_here AS (PARTITION BY lead_id, state ORDER BY position)
    ),

    leads AS (
        SELECT
            lead_id,
            state,
            known_since,
            listing.reference AS listing_reference,
            listing.key AS reference_key,
            portal_agent.id AS portal_agent_id,
            portal_agent.kind AS portal_agent_kind
        FROM known
    ),

    {REFERENCE_DATA},

    changes AS (
        SELECT lead_id, 'status' AS kind, status AS value, state, first_observed_at AS occurred_at
        FROM states
        UNION ALL
        SELECT lead_id, 'agent', agent_id, state, known_since
        FROM ({ASSIGNMENT_RULES})
        UNION ALL
        SELECT lead_id, 'agent', agent_id, 'given', assigned_at
        FROM decided
        WHERE newly_assigned
    )

    SELECT
        lead_id,
        kind,
        value,
        min(occurred_at) FILTER (state = 'before') AS was_at,
        coalesce(
            min(occurred_at) FILTER (state = 'now'), min(occurred_at) FILTER (state = 'given')
        ) AS occurred_at,
        was_at IS NULL OR bool_or(state = 'given') AS wanted
    FROM changes
    WHERE value IS NOT NULL
    GROUP BY lead_id, kind, value
) AS seen
USING (lead_id, kind, value)
WHEN MATCHED AND known.occurred_at = seen.was_at AND seen.occurred_at IS NULL THEN DELETE
WHEN MATCHED AND known.occurred_at = seen.was_at AND seen.occurred_at <> seen.was_at
    THEN UPDATE SET occurred_at = seen.occurred_at
WHEN NOT MATCHED AND seen.wanted
    THEN INSERT (lead_id, kind, value, occurred_at)
    VALUES (seen.lead_id, seen.kind, seen.value, seen.occurred_at)
"""
"""The history that all observations tell, so that late ones leave the same as timely ones.

What the observations told before this load and tell no longer, or of another instant, is put
right. All else stands: what the rules gave by reference data of other days, or when an unassigned
lead was tried again.
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
SELECT received_from, partition_key, lead_id, reason, raw, min(received_at) AS received_at
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
GROUP BY received_from, partition_key, lead_id, reason, raw
"""

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
),

{REFERENCE_DATA}

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
