"""The SQL that makes ``crm.rejected_leads`` hold just the rejects of the days that are loaded."""

REMOVE_SETTLED_REJECTS = """
DELETE FROM crm.rejected_leads AS known
WHERE
    received_from = 'poll'
    AND list_contains($days, partition_key)
    AND NOT EXISTS (
        SELECT 1
        FROM rejected
        WHERE
            rejected.partition_key = known.partition_key
            AND rejected.raw = known.raw
            AND rejected.reason = known.reason
    )
"""

ADD_NEW_REJECTS = """
INSERT INTO crm.rejected_leads BY NAME
SELECT received_from, partition_key, lead_id, reason, raw, min(received_at) AS received_at
FROM rejected
WHERE NOT EXISTS (
    SELECT 1
    FROM crm.rejected_leads AS known
    WHERE
        known.received_from = rejected.received_from
        AND known.partition_key = rejected.partition_key
        AND known.raw = rejected.raw
        AND known.reason = rejected.reason
)
GROUP BY received_from, partition_key, lead_id, reason, raw
"""
