"""The SQL that carries what stands in an old CRM over into one that was made anew.

``{old}`` stands for the old database and the schema of its CRM tables, ``{old_pipeline}`` for that
of its internal ones; the new one is the database that is open.
"""

from pf_pipeline.crm.statements.common import BY_A_PERSON

CARRIED = f"""
CREATE OR REPLACE TEMP TABLE carried AS
SELECT stored.*
FROM {{old}}.leads AS stored
LEFT JOIN {{old_pipeline}}.given_agents AS given USING (lead_id)
JOIN crm.leads AS new USING (lead_id)
WHERE
    {BY_A_PERSON}
    OR (
        NOT $assign_anew
        AND stored.agent_id IS NOT NULL
        AND ROW(
            stored.listing_reference, stored.portal_agent_id, stored.portal_agent_kind
        ) IS NOT DISTINCT FROM ROW(
            new.listing_reference, new.portal_agent_id, new.portal_agent_kind
        )
    )
"""
"""A person's decision, and agents who keep a lead because what they got it for has not changed."""

CARRY_ASSIGNMENTS = """
UPDATE crm.leads AS new
SET
    property_ref = carried.property_ref,
    agent_id = carried.agent_id,
    assignment_rule = carried.assignment_rule,
    assignment_reason = carried.assignment_reason,
    assigned_at = carried.assigned_at
FROM carried
WHERE
    new.lead_id = carried.lead_id
    AND ROW(
        new.property_ref,
        new.agent_id,
        new.assignment_rule,
        new.assignment_reason,
        new.assigned_at
    ) IS DISTINCT FROM ROW(
        carried.property_ref,
        carried.agent_id,
        carried.assignment_rule,
        carried.assignment_reason,
        carried.assigned_at
    )
"""

FORGET_GIVEN_AGENTS = (
    "DELETE FROM pipeline.given_agents USING carried WHERE given_agents.lead_id = carried.lead_id"
)

CARRY_GIVEN_AGENTS = """
INSERT INTO pipeline.given_agents
SELECT given.lead_id, given.agent_id
FROM {old_pipeline}.given_agents AS given
SEMI JOIN carried USING (lead_id)
"""

FORGET_AGENT_EVENTS = """
DELETE FROM crm.lead_events USING carried
WHERE lead_events.lead_id = carried.lead_id AND lead_events.kind = 'agent'
"""

CARRY_AGENT_EVENTS = """
INSERT INTO crm.lead_events
SELECT known.lead_id, known.kind, known.value, known.occurred_at
FROM {old}.lead_events AS known
SEMI JOIN carried USING (lead_id)
WHERE known.kind = 'agent'
"""

CARRY_RECORDINGS = """
UPDATE crm.call_recordings AS new
SET agent_id = old.agent_id
FROM {old}.call_recordings AS old
SEMI JOIN carried USING (lead_id)
WHERE new.lead_id = old.lead_id AND new.agent_id IS DISTINCT FROM old.agent_id
"""
"""As they stand: the agent of a recording follows its lead's at the next load."""

STEPS = (
    CARRY_ASSIGNMENTS,
    FORGET_GIVEN_AGENTS,
    CARRY_GIVEN_AGENTS,
    FORGET_AGENT_EVENTS,
    CARRY_AGENT_EVENTS,
    CARRY_RECORDINGS,
)

COMPARE = """
WITH
old AS (SELECT {key} AS key, stored::VARCHAR AS row FROM {old_table} AS stored),
new AS (SELECT {key} AS key, stored::VARCHAR AS row FROM {new_table} AS stored)

SELECT
    (SELECT count(*) FROM old) AS before,
    (SELECT count(*) FROM new) AS after,
    count(*) FILTER (new.key IS NULL) AS removed,
    count(*) FILTER (old.key IS NULL) AS added,
    count(*) FILTER (old.row <> new.row) AS changed
FROM old
FULL JOIN new USING (key)
"""
"""How two tables differ; where a row has no key, the row itself and its number among equal ones."""
