"""The SQL that keeps the history of the leads, in the transaction that loads them."""

from pf_pipeline.leads.assignment import ASSIGNMENT_RULES

CHANGES = f"""
CREATE OR REPLACE TEMP TABLE changes AS
FROM (
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
            lead_id,
            observed_by,
            content_id,
            seen_before.first_observed_at,
            seen_before.last_observed_at,
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
)
WHERE wanted OR occurred_at IS DISTINCT FROM was_at
"""
"""What the history of these leads reads now, and what it read before, where that differs."""

NEEDED = """
SELECT
    bool_or(wanted) AS added,
    bool_or(occurred_at <> was_at) AS moved,
    bool_or(occurred_at IS NULL) AS removed
FROM changes
"""
"""Which of the following a load needs: most need but the first."""

ADD_EVENTS_NEW = """
INSERT INTO crm.lead_events BY NAME
SELECT lead_id, 'status' AS kind, status AS value, first_observed_at AS occurred_at
FROM observations
WHERE status IS NOT NULL
UNION ALL
SELECT lead_id, 'agent', agent_id, assigned_at
FROM decided
WHERE agent_id IS NOT NULL
ON CONFLICT DO NOTHING
"""
"""What :data:`CHANGES` and :data:`ADD_EVENTS` come to for leads that are all new."""

ADD_EVENTS = """
INSERT INTO crm.lead_events BY NAME
SELECT lead_id, kind, value, occurred_at FROM changes WHERE wanted
ON CONFLICT DO NOTHING
"""

MOVE_EVENTS = """
UPDATE crm.lead_events AS known
SET occurred_at = changes.occurred_at
FROM changes
WHERE
    known.lead_id = changes.lead_id
    AND known.kind = changes.kind
    AND known.value = changes.value
    AND known.occurred_at = changes.was_at
    AND changes.occurred_at <> changes.was_at
"""

REMOVE_EVENTS = """
DELETE FROM crm.lead_events AS known
USING changes
WHERE
    known.lead_id = changes.lead_id
    AND known.kind = changes.kind
    AND known.value = changes.value
    AND known.occurred_at = changes.was_at
    AND changes.occurred_at IS NULL
"""
"""The history that all observations tell, so that late ones leave the same as timely ones.

What the observations told before this load and tell no longer, or of another instant, is put
right. All else stands: what the rules gave by reference data of other days, or when an unassigned
lead was tried again.
"""
