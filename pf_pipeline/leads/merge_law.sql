-- The merge law: one lead from all that was ever observed of it. Here for leads that were observed
-- more than once; the others, of which there is less to say, are merge_law_once.sql.
--
-- Reads the relation "observations" (columns of pf_pipeline.leads.schema.Observation, without
-- times_observed) and gives one row a lead. The result depends on the set of observations alone,
-- never on the order in which they came, how often, or in which batches: contents are kept with
-- the first and the last instant at which they were seen, in one row or in several, and first,
-- last and the choice below are all order-free.
--
-- A field comes from the latest observation that carries it; one that does not carry it never
-- erases it. Fields that only polls carry (recording, tags, creation) come from the latest poll
-- where there is one; without one, the lead was created at the earliest instant that a webhook
-- names, because the time of its event stands in for that. At the same instant a poll outranks a
-- webhook, because it shows the state and not a step towards it; then the further status; then the
-- contents' name, to be definite.
-- What is computed from a field (phone_e164, reference_key) goes with that field. What says
-- together which listing or which portal agent it is (id, reference and title; id, kind and name)
-- is never mixed of two of them: the latest observation that names one decides which it is, and
-- the others add what they say of the same one.
WITH seen_often AS (
    SELECT lead_id
    FROM observations
    GROUP BY lead_id
    HAVING count(*) > 1
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            -- Over all leads at once: within each the order is the same, and it is cheaper.
            ORDER BY
                last_observed_at,
                observed_by = 'poll',
                coalesce(list_position(['sent', 'delivered', 'read', 'replied'], status), 0),
                content_id
        ) AS recency
    FROM observations
    SEMI JOIN seen_often USING (lead_id)
),

-- Which listing and which portal agent the lead has: what the latest observation that names one says.
named AS (
    SELECT
        lead_id,
        arg_max(
            {'id': listing_id, 'reference': listing_reference}, recency
        ) FILTER (listing_id IS NOT NULL OR listing_reference IS NOT NULL) AS listing,
        arg_max(
            {'id': portal_agent_id, 'kind': portal_agent_kind}, recency
        ) FILTER (portal_agent_id IS NOT NULL) AS agent
    FROM ranked
    GROUP BY lead_id
),

compared AS (
    SELECT
        ranked.*,
        -- The same id, or the same reference: the dialects have different ids for one listing.
        named.listing IS NULL
        OR coalesce(listing_id = named.listing.id, FALSE)
        OR coalesce(listing_reference = named.listing.reference, FALSE) AS same_listing,
        named.agent IS NULL
        OR {'id': portal_agent_id, 'kind': portal_agent_kind} = named.agent AS same_agent
    FROM ranked
    JOIN named USING (lead_id)
),

-- A lead is updated when it shows something new, not when the same is seen again.
news AS (
    SELECT lead_id, max(new_at) AS updated_at
    FROM (
        SELECT lead_id, min(first_observed_at) AS new_at
        FROM ranked
        GROUP BY lead_id, content_id
    )
    GROUP BY lead_id
),

-- "extra" holds fields of its own (enrichment, project, ...): where observations differ in it,
-- each of them comes from the latest poll that carries it.
extra_fields AS (
    SELECT
        ranked.lead_id,
        field.key,
        coalesce(
            arg_max(field.value, recency) FILTER (observed_by = 'poll'),
            arg_max(field.value, recency)
        ) AS value
    FROM ranked, json_each(ranked.extra) AS field
    WHERE
        ranked.lead_id IN (
            SELECT lead_id FROM ranked GROUP BY lead_id HAVING min(extra) < max(extra)
        )
    GROUP BY ranked.lead_id, field.key
),

extras AS (
    SELECT
        lead_id,
        '{' || string_agg(to_json(key) || ':' || value, ',' ORDER BY key) || '}' AS extra
    FROM extra_fields
    GROUP BY lead_id
),

-- arg_max passes over rows whose first argument is missing: "the latest that carries it".
merged AS (
    SELECT
        lead_id,
        coalesce(
            arg_max(channel, recency) FILTER (channel <> 'unknown'), 'unknown'
        ) AS channel,
        arg_max(status, recency) AS status,
        arg_max(entity_type, recency) AS entity_type,
        arg_max(name, recency) AS name,
        arg_max(email, recency) AS email,
        arg_max(phone, recency) AS phone,
        arg_max_null(phone_e164, recency) FILTER (phone IS NOT NULL) AS phone_e164,
        arg_max(whatsapp_username, recency) AS whatsapp_username,
        arg_max(message, recency) AS message,
        arg_max(listing_id, recency) FILTER (same_listing) AS listing_id,
        arg_max(listing_reference, recency) FILTER (same_listing) AS listing_reference,
        arg_max_null(reference_key, recency)
            FILTER (same_listing AND listing_reference IS NOT NULL) AS reference_key,
        arg_max(listing_title, recency) FILTER (same_listing) AS listing_title,
        arg_max(portal_agent_id, recency) FILTER (same_agent) AS portal_agent_id,
        arg_max(portal_agent_kind, recency) FILTER (same_agent) AS portal_agent_kind,
        arg_max(portal_agent_name, recency) FILTER (same_agent) AS portal_agent_name,
        arg_max(response_link, recency) AS response_link,
        coalesce(
            arg_max(recording_url, recency) FILTER (observed_by = 'poll'),
            arg_max(recording_url, recency)
        ) AS recording_url,
        coalesce(
            arg_max(talk_seconds, recency) FILTER (observed_by = 'poll'),
            arg_max(talk_seconds, recency)
        ) AS talk_seconds,
        coalesce(
            arg_max(wait_seconds, recency) FILTER (observed_by = 'poll'),
            arg_max(wait_seconds, recency)
        ) AS wait_seconds,
        coalesce(
            arg_max(tags, recency) FILTER (observed_by = 'poll'), arg_max(tags, recency)
        ) AS tags,
        any_value(extra) AS extra,
        coalesce(
            arg_max(created_at, recency) FILTER (observed_by = 'poll'), min(created_at)
        ) AS created_at,
        min(first_received_at) AS first_seen_at
    FROM compared
    GROUP BY lead_id
)

SELECT
    merged.* REPLACE (coalesce(extras.extra, merged.extra) AS extra),
    news.updated_at
FROM merged
JOIN news USING (lead_id)
LEFT JOIN extras USING (lead_id)
