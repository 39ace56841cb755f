"""The SQL that brings observations into ``crm.leads``, one constant a step, in their order.

All run in one transaction over these relations:

* ``incoming``: observations to load, columns of :class:`pf_pipeline.leads.schema.Observation`;
* the lookups that the assignment rules join, see :mod:`pf_pipeline.leads.ownership`.
"""

from pf_pipeline.crm.statements.common import BY_A_PERSON, upsert
from pf_pipeline.leads.assignment import MERGE_AND_ASSIGN, MERGE_AND_ASSIGN_ONCE

SEEN_BEFORE = """
CREATE OR REPLACE TEMP TABLE seen_before AS
SELECT *
FROM pipeline.lead_observations
SEMI JOIN incoming USING (lead_id)
"""
"""What was known of the incoming leads before this load."""

ALL_NEW = """
SELECT
    NOT EXISTS (FROM seen_before)
    -- A person may have written a lead that was never observed.
    AND NOT EXISTS (FROM crm.leads SEMI JOIN incoming USING (lead_id))
    AND NOT EXISTS (SELECT lead_id FROM incoming GROUP BY lead_id HAVING count(*) > 1)
"""
"""Whether each lead of this load is seen for the first time, and once.

That is what most webhook deliveries bring. The steps for it alone (``..._NEW``) do what the others
would do, in half the time for a few leads.
"""

KEEP_OBSERVATIONS = """
MERGE INTO pipeline.lead_observations AS known
USING (SELECT * EXCLUDE (times_observed) FROM incoming) AS seen
USING (lead_id, observed_by, content_id)
WHEN MATCHED AND (
    seen.first_observed_at < known.first_observed_at
    OR seen.last_observed_at > known.last_observed_at
    OR seen.first_received_at < known.first_received_at
) THEN UPDATE SET
    first_observed_at = least(known.first_observed_at, seen.first_observed_at),
    last_observed_at = greatest(known.last_observed_at, seen.last_observed_at),
    first_received_at = least(known.first_received_at, seen.first_received_at)
WHEN NOT MATCHED THEN INSERT BY NAME
"""
"""Equal contents are one row, seen from the first instant to the last."""

AFFECTED_OBSERVATIONS = """
CREATE OR REPLACE TEMP TABLE observations AS
SELECT
    known.* REPLACE (
        least(known.first_observed_at, seen.first_observed_at) AS first_observed_at,
        greatest(known.last_observed_at, seen.last_observed_at) AS last_observed_at,
        least(known.first_received_at, seen.first_received_at) AS first_received_at
    )
FROM seen_before AS known
LEFT JOIN incoming AS seen USING (lead_id, observed_by, content_id)
UNION ALL BY NAME
SELECT * EXCLUDE (times_observed)
FROM incoming
ANTI JOIN seen_before USING (lead_id, observed_by, content_id)
"""
"""All that is known of the incoming leads, whichever way and day it came.

Just what :data:`KEEP_OBSERVATIONS` leaves of them, without looking for it once more.
"""

OBSERVATIONS_NEW = """
CREATE OR REPLACE TEMP TABLE observations AS
SELECT * EXCLUDE (times_observed) FROM incoming
"""

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

ASSIGN, ASSIGN_NEW = (
    f"CREATE OR REPLACE TEMP TABLE assigned AS SELECT * FROM ({sql})"
    for sql in (MERGE_AND_ASSIGN, MERGE_AND_ASSIGN_ONCE)
)

DECIDE = f"""
CREATE OR REPLACE TEMP TABLE decided AS
WITH
judged AS (
    SELECT stored.*, {BY_A_PERSON} AS by_a_person
    FROM crm.leads AS stored
    SEMI JOIN incoming USING (lead_id)
    LEFT JOIN (
        -- These leads alone: DuckDB would hash all that there are.
        SELECT * FROM pipeline.given_agents SEMI JOIN incoming USING (lead_id)
    ) AS given USING (lead_id)
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

DECIDE_NEW = """
CREATE OR REPLACE TEMP TABLE decided AS
SELECT
    assigned.*,
    CASE WHEN assignment_rule <> 'unassigned' THEN first_observed_at END AS assigned_at,
    TRUE AS newly_assigned,
    FALSE AS by_a_person
FROM assigned
JOIN (SELECT lead_id, first_observed_at FROM observations) USING (lead_id)
"""
"""The rules decide, and by what they decide was seen at once."""

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

UPSERT_LEADS = upsert("crm.leads", LEAD_COLUMNS, "decided")

KEEP_GIVEN_AGENTS = """
MERGE INTO pipeline.given_agents AS known
USING (SELECT lead_id, agent_id FROM decided WHERE newly_assigned) AS new
USING (lead_id)
WHEN MATCHED AND known.agent_id IS DISTINCT FROM new.agent_id
    THEN UPDATE SET agent_id = new.agent_id
WHEN NOT MATCHED AND new.agent_id IS NOT NULL THEN INSERT BY NAME
"""
