"""Who is behind a reference or a portal's id: the reference data in the form the rules look up.

Made once of the reference data, and looked up for every lead: the rules of ``assignment.sql`` join
nothing but these relations.
"""

OWNERS = """
WITH owned AS ({owned})
SELECT owned.*, inactive.agent_id IS NOT NULL AS is_inactive
FROM owned
LEFT JOIN (
    SELECT agent_id
    FROM agents
    GROUP BY agent_id
    HAVING NOT bool_or(active)
) AS inactive USING (agent_id)
"""

BY_REFERENCE = """
    SELECT
        internal_ref AS reference,
        internal_ref,
        any_value(agent_id) AS agent_id,
        count(DISTINCT agent_id) AS owners
    FROM properties
    GROUP BY internal_ref
"""

BY_KEY = """
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
"""

PORTAL_AGENTS = """
    WITH
    -- Every way from one of the portal's ids to an agent, the surest first: the id that the CRM
    -- noted itself, the user's other id, the user's email.
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
    )
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
"""

AT_PORTAL = """
SELECT
    listed.{reference},
    listed.owners,
    owner.agent_id,
    owner.holders,
    coalesce(owner.is_inactive, FALSE) AS is_inactive
FROM (
    SELECT
        {reference},
        any_value(portal_profile_id) AS profile_id,
        count(DISTINCT portal_profile_id) AS owners
    FROM (
        SELECT *, coalesce(lower(state) IN ('live', 'published'), FALSE) AS published
        FROM portal_listings
        -- What is published decides; drafts and what is archived only where nothing is.
        QUALIFY published = bool_or(published) OVER (PARTITION BY {reference})
    )
    GROUP BY {reference}
) AS listed
LEFT JOIN portal_agents AS owner
    ON listed.profile_id = owner.portal_agent_id AND owner.kind = 'profile'
"""

LOOKUPS = {
    "owners_by_reference": OWNERS.format(owned=BY_REFERENCE),
    "owners_by_key": OWNERS.format(owned=BY_KEY),
    "portal_agents": OWNERS.format(owned=PORTAL_AGENTS),
    "portal_owners_by_reference": AT_PORTAL.format(reference="reference"),
    "portal_owners_by_key": AT_PORTAL.format(reference="reference_key"),
}
"""The relations that the rules look up, as SQL over the reference data and those before them."""
