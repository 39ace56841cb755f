-- The merge law for leads that were observed once: a lead is what that says.
SELECT
    * EXCLUDE (
        observed_by, content_id, first_observed_at, last_observed_at, first_received_at
    ),
    first_received_at AS first_seen_at,
    first_observed_at AS updated_at
FROM observations
