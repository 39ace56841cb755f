-- The assignment rules: which agent gets a lead. The first rule that fires decides.
--
--   listing_reference  the agent who owns the property with the lead's reference: exact, then
--                      without case and blanks. For one lead this is the guide's
--                      SELECT agent_id FROM properties WHERE internal_ref = '...'
--   portal_agent       the CRM agent to whom the portal's agent of the lead is mapped: by user id
--                      (guide) or public profile id (atlas)
--   unassigned         neither; the reason says why each rule did not fire
--
-- Inactive agents receive nothing. An owner whom the agents table does not know is taken at the
-- properties' word.
--
-- Reads "leads" (listing_reference, reference_key, portal_agent_id, portal_agent_kind, and any
-- further columns), "properties" (internal_ref, reference_key, agent_id) and "agents" (agent_id,
-- portal_user_id, portal_profile_id, active). Gives every row of "leads", whole, with
-- property_ref, agent_id, assignment_rule and assignment_reason.
WITH exact AS (
    SELECT
        internal_ref,
        any_value(agent_id) AS agent_id,
        count(DISTINCT agent_id) AS owners
    FROM properties
    GROUP BY internal_ref
),

normalised AS (
    SELECT
        reference_key,
        -- The property that has the agent, where only one of several spellings has one.
        coalesce(
            min(internal_ref) FILTER (agent_id IS NOT NULL), min(internal_ref)
        ) AS internal_ref,
        any_value(agent_id) AS agent_id,
        count(DISTINCT agent_id) AS owners
    FROM properties
    GROUP BY reference_key
),

portal_agents AS (
    SELECT
        'user' AS kind,
        portal_user_id AS portal_agent_id,
        any_value(agent_id) AS agent_id,
        count(DISTINCT agent_id) AS holders
    FROM agents
    WHERE portal_user_id IS NOT NULL
    GROUP BY portal_user_id
    UNION ALL
    SELECT
        'profile',
        portal_profile_id,
        any_value(agent_id),
        count(DISTINCT agent_id)
    FROM agents
    WHERE portal_profile_id IS NOT NULL
    GROUP BY portal_profile_id
),

inactive AS (
    SELECT agent_id
    FROM agents
    GROUP BY agent_id
    HAVING NOT bool_or(active)
),

candidates AS (
    SELECT
        leads.*,
        coalesce(exact.internal_ref, normalised.internal_ref) AS property_ref,
        coalesce(exact.agent_id, normalised.agent_id) AS listing_agent,
        portal_agents.agent_id AS portal_agent,
        CASE
            WHEN leads.listing_reference IS NULL
                THEN 'the lead names no listing'
            WHEN property_ref IS NULL
                THEN 'no property has the reference ' || leads.listing_reference
            WHEN coalesce(exact.owners, normalised.owners) > 1
                THEN 'the reference ' || leads.listing_reference || ' belongs to several agents'
            WHEN listing_agent IS NULL
                THEN 'the property ' || property_ref || ' has no agent'
            WHEN owner_inactive.agent_id IS NOT NULL
                THEN 'the owner ' || listing_agent || ' of ' || property_ref || ' is inactive'
        END AS listing_obstacle,
        CASE
            WHEN leads.portal_agent_id IS NULL
                THEN 'the portal names no agent'
            WHEN portal_agents.agent_id IS NULL
                THEN
                    'no agent has the portal ' || leads.portal_agent_kind || ' id '
                    || leads.portal_agent_id
            WHEN portal_agents.holders > 1
                THEN
                    'several agents have the portal ' || leads.portal_agent_kind || ' id '
                    || leads.portal_agent_id
            WHEN mapped_inactive.agent_id IS NOT NULL
                THEN 'the portal''s agent ' || portal_agent || ' is inactive'
        END AS portal_obstacle,
        exact.internal_ref IS NOT NULL AS matched_exactly
    FROM leads
    LEFT JOIN exact ON leads.listing_reference = exact.internal_ref
    -- An exact match decides alone, also where that property has no agent.
    LEFT JOIN normalised
        ON
            CASE WHEN exact.internal_ref IS NULL THEN leads.reference_key END
            = normalised.reference_key
    LEFT JOIN portal_agents
        ON
            leads.portal_agent_id = portal_agents.portal_agent_id
            AND leads.portal_agent_kind = portal_agents.kind
    LEFT JOIN inactive AS owner_inactive
        ON coalesce(exact.agent_id, normalised.agent_id) = owner_inactive.agent_id
    LEFT JOIN inactive AS mapped_inactive
        ON portal_agents.agent_id = mapped_inactive.agent_id
)

SELECT
    * EXCLUDE (listing_agent, portal_agent, listing_obstacle, portal_obstacle, matched_exactly),
    CASE
        WHEN listing_obstacle IS NULL THEN listing_agent
        WHEN portal_obstacle IS NULL THEN portal_agent
    END AS agent_id,
    CASE
        WHEN listing_obstacle IS NULL THEN 'listing_reference'
        WHEN portal_obstacle IS NULL THEN 'portal_agent'
        ELSE 'unassigned'
    END AS assignment_rule,
    CASE
        WHEN listing_obstacle IS NULL AND matched_exactly
            THEN 'owns the property ' || property_ref
        WHEN listing_obstacle IS NULL
            THEN 'owns the property ' || property_ref || ', written differently in the lead'
        WHEN portal_obstacle IS NULL
            THEN 'is the portal''s agent of the lead; ' || listing_obstacle
        ELSE listing_obstacle || '; ' || portal_obstacle
    END AS assignment_reason
FROM candidates
