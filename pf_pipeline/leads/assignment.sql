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
-- further columns) and what ownership.py makes of the reference data: "owners_by_reference",
-- "owners_by_key", "portal_agents", and of the portal's own listings "portal_owners_by_reference"
-- and "portal_owners_by_key", both empty where the portal does not tell. Gives every row of
-- "leads", whole, with property_ref, agent_id, assignment_rule and assignment_reason.
WITH candidates AS (
    SELECT
        leads.*,
        coalesce(exact.internal_ref, normalised.internal_ref) AS property_ref,
        coalesce(exact.agent_id, normalised.agent_id) AS listing_agent,
        portal_agents.agent_id AS portal_agent,
        coalesce(exact_at_portal.agent_id, normalised_at_portal.agent_id) AS portal_owner,
        CASE
            WHEN leads.listing_reference IS NULL
                THEN 'the lead names no listing'
            WHEN property_ref IS NULL
                THEN 'no property has the reference ' || leads.listing_reference
            WHEN coalesce(exact.owners, normalised.owners) > 1
                THEN 'the reference ' || leads.listing_reference || ' belongs to several agents'
            WHEN listing_agent IS NULL
                THEN 'the property ' || property_ref || ' has no agent'
            WHEN coalesce(exact.is_inactive, normalised.is_inactive)
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
            WHEN portal_agents.is_inactive
                THEN 'the portal''s agent ' || portal_agent || ' is inactive'
        END AS portal_obstacle,
        CASE
            -- Nothing to say: the first obstacle says it, or the portal's listings are not known.
            WHEN leads.listing_reference IS NULL OR NOT EXISTS (FROM portal_owners_by_reference)
                THEN ''
            WHEN coalesce(exact_at_portal.owners, normalised_at_portal.owners) IS NULL
                THEN 'the portal does not list it either'
            WHEN coalesce(exact_at_portal.owners, normalised_at_portal.owners) > 1
                THEN 'the portal lists it for several agents'
            WHEN portal_owner IS NULL
                THEN 'no agent is the portal''s owner of it'
            WHEN coalesce(exact_at_portal.holders, normalised_at_portal.holders) > 1
                THEN 'several agents are the portal''s owner of it'
            WHEN coalesce(exact_at_portal.is_inactive, normalised_at_portal.is_inactive)
                THEN 'the portal''s owner ' || portal_owner || ' of it is inactive'
        END AS portal_listing_obstacle,
        exact.internal_ref IS NOT NULL AS matched_exactly,
        portal_agents.way > 2 AS mapped_by_email
    FROM leads
    LEFT JOIN owners_by_reference AS exact ON leads.listing_reference = exact.reference
    -- An exact match decides alone, also where that property has no agent.
    LEFT JOIN owners_by_key AS normalised
        ON
            CASE WHEN exact.reference IS NULL THEN leads.reference_key END
            = normalised.reference_key
    LEFT JOIN portal_agents
        ON
            leads.portal_agent_id = portal_agents.portal_agent_id
            AND leads.portal_agent_kind = portal_agents.kind
    LEFT JOIN portal_owners_by_reference AS exact_at_portal
        ON leads.listing_reference = exact_at_portal.reference
    LEFT JOIN portal_owners_by_key AS normalised_at_portal
        ON
            CASE WHEN exact_at_portal.reference IS NULL THEN leads.reference_key END
            = normalised_at_portal.reference_key
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
