-- The assignment rules: which agent gets a lead. The first rule that fires decides.
--
--   listing_reference  the agent who owns the property with the lead's reference: exact, then
--                      without case and blanks. For one lead this is the guide's
--                      SELECT agent_id FROM properties WHERE internal_ref = '...'
--   portal_agent       the CRM agent to whom the portal's agent of the lead is mapped: by user id
--                      (guide) or public profile id (atlas), else by the email of the portal's user
--   portal_listing     the CRM agent to whom the portal's own owner of the reference is mapped; what
--                      is published under a reference decides, drafts and what is archived only
--                      where nothing is
--   unassigned         none of them; the reason says why each rule did not fire
--
-- Inactive agents receive nothing. An owner whom the agents table does not know is taken at the
-- properties' word.
--
-- Reads "leads" (listing_reference, reference_key, portal_agent_id, portal_agent_kind, and any
-- further columns), "properties" (internal_ref, reference_key, agent_id), "agents" (agent_id, email,
-- portal_user_id, portal_profile_id, active), and of the portal's own "portal_users"
-- (portal_user_id, portal_profile_id, email, profile_email) and "portal_listings" (reference,
-- reference_key, portal_profile_id, state), both empty where the portal does not tell. Gives every row of
-- "leads", whole, with property_ref, agent_id, assignment_rule and assignment_reason.
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

-- Every way from one of the portal's ids to an agent, the surest first: the id that the CRM noted
-- itself, the user's other id, the user's email.
ways AS (
    SELECT 'user' AS kind, portal_user_id AS portal_agent_id, agent_id, 1 AS way
    FROM agents
    UNION ALL
    SELECT 'profile', portal_profile_id, agent_id, 1
    FROM agents
    UNION ALL
    SELECT 'profile', portal_users.portal_profile_id, agents.agent_id, 2
    FROM portal_users
    JOIN agents ON portal_users.portal_user_id = agents.portal_user_id
    UNION ALL
    SELECT 'user', portal_users.portal_user_id, agents.agent_id, 2
    FROM portal_users
    JOIN agents ON portal_users.portal_profile_id = agents.portal_profile_id
    UNION ALL
    SELECT ids.kind, ids.portal_agent_id, agents.agent_id, 3
    FROM (
        SELECT 'user' AS kind, portal_user_id AS portal_agent_id, email FROM portal_users
        UNION ALL
        SELECT 'user', portal_user_id, profile_email FROM portal_users
        UNION ALL
        SELECT 'profile', portal_profile_id, email FROM portal_users
        UNION ALL
        SELECT 'profile', portal_profile_id, profile_email FROM portal_users
    ) AS ids
    JOIN agents ON ids.email = lower(trim(agents.email))
),

portal_agents AS (
    SELECT
        kind,
        portal_agent_id,
        any_value(agent_id) AS agent_id,
        count(DISTINCT agent_id) AS holders,
        any_value(way) AS way
    FROM (
        SELECT *
        FROM ways
        WHERE portal_agent_id IS NOT NULL AND agent_id IS NOT NULL
        QUALIFY way = min(way) OVER (PARTITION BY kind, portal_agent_id)
    )
    GROUP BY kind, portal_agent_id
),

listings_at_portal AS (
    SELECT
        reference,
        reference_key,
        portal_profile_id,
        coalesce(lower(state) IN ('live', 'published'), false) AS published
    FROM portal_listings
),

exact_at_portal AS (
    SELECT
        reference,
        any_value(portal_profile_id) AS profile_id,
        count(DISTINCT portal_profile_id) AS owners
    FROM (
        SELECT *
        FROM listings_at_portal
        QUALIFY published = bool_or(published) OVER (PARTITION BY reference)
    )
    GROUP BY reference
),

normalised_at_portal AS (
    SELECT
        reference_key,
        any_value(portal_profile_id) AS profile_id,
        count(DISTINCT portal_profile_id) AS owners
    FROM (
        SELECT *
        FROM listings_at_portal
        QUALIFY published = bool_or(published) OVER (PARTITION BY reference_key)
    )
    GROUP BY reference_key
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
        portal_owners.agent_id AS portal_owner,
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
        CASE
            -- Nothing to say: the first obstacle says it, or the portal's listings are not known.
            WHEN leads.listing_reference IS NULL OR NOT EXISTS (FROM portal_listings)
                THEN ''
            WHEN coalesce(exact_at_portal.owners, normalised_at_portal.owners) IS NULL
                THEN 'the portal does not list it either'
            WHEN coalesce(exact_at_portal.owners, normalised_at_portal.owners) > 1
                THEN 'the portal lists it for several agents'
            WHEN portal_owners.agent_id IS NULL
                THEN 'no agent is the portal''s owner of it'
            WHEN portal_owners.holders > 1
                THEN 'several agents are the portal''s owner of it'
            WHEN portal_owner_inactive.agent_id IS NOT NULL
                THEN 'the portal''s owner ' || portal_owner || ' of it is inactive'
        END AS portal_listing_obstacle,
        exact.internal_ref IS NOT NULL AS matched_exactly,
        portal_agents.way > 2 AS mapped_by_email
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
    LEFT JOIN exact_at_portal ON leads.listing_reference = exact_at_portal.reference
    LEFT JOIN normalised_at_portal
        ON
            CASE WHEN exact_at_portal.reference IS NULL THEN leads.reference_key END
            = normalised_at_portal.reference_key
    LEFT JOIN portal_agents AS portal_owners
        ON
            coalesce(exact_at_portal.profile_id, normalised_at_portal.profile_id)
            = portal_owners.portal_agent_id
            AND portal_owners.kind = 'profile'
    LEFT JOIN inactive AS owner_inactive
        ON coalesce(exact.agent_id, normalised.agent_id) = owner_inactive.agent_id
    LEFT JOIN inactive AS mapped_inactive
        ON portal_agents.agent_id = mapped_inactive.agent_id
    LEFT JOIN inactive AS portal_owner_inactive
        ON portal_owners.agent_id = portal_owner_inactive.agent_id
)

SELECT
    * EXCLUDE (
        listing_agent,
        portal_agent,
        portal_owner,
        listing_obstacle,
        portal_obstacle,
        portal_listing_obstacle,
        matched_exactly,
        mapped_by_email
    ),
    CASE
        WHEN listing_obstacle IS NULL THEN listing_agent
        WHEN portal_obstacle IS NULL THEN portal_agent
        WHEN portal_listing_obstacle IS NULL THEN portal_owner
    END AS agent_id,
    CASE
        WHEN listing_obstacle IS NULL THEN 'listing_reference'
        WHEN portal_obstacle IS NULL THEN 'portal_agent'
        WHEN portal_listing_obstacle IS NULL THEN 'portal_listing'
        ELSE 'unassigned'
    END AS assignment_rule,
    CASE
        WHEN listing_obstacle IS NULL AND matched_exactly
            THEN 'owns the property ' || property_ref
        WHEN listing_obstacle IS NULL
            THEN 'owns the property ' || property_ref || ', written differently in the lead'
        WHEN portal_obstacle IS NULL AND mapped_by_email
            THEN 'is the portal''s agent of the lead, by email; ' || listing_obstacle
        WHEN portal_obstacle IS NULL
            THEN 'is the portal''s agent of the lead; ' || listing_obstacle
        WHEN portal_listing_obstacle IS NULL
            THEN
                'is the portal''s owner of ' || listing_reference || '; '
                || listing_obstacle || '; ' || portal_obstacle
        ELSE
            concat_ws('; ', listing_obstacle, portal_obstacle, nullif(portal_listing_obstacle, ''))
    END AS assignment_reason
FROM candidates
