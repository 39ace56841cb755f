"""The SQL that compares by which way leads came, and when."""

ARRIVALS = """
WITH
wanted AS (
    SELECT lead_id, created_at
    FROM crm.leads
    WHERE list_contains($days, created_at::DATE)
)

SELECT
    wanted.created_at::DATE AS day,
    lead_id,
    wanted.created_at,
    min(observations.first_received_at) FILTER (observed_by = 'poll') AS polled_at,
    min(observations.first_received_at) FILTER (observed_by = 'webhook') AS delivered_at
FROM wanted
JOIN pipeline.lead_observations AS observations USING (lead_id)
GROUP BY ALL
ORDER BY wanted.created_at, lead_id
"""
