"""The SQL that makes ``crm.rejected_leads`` hold just the rejects of the days that are loaded.

Over the relations ``rejected`` and ``settled``: of which days, and up to which arrival,
``rejected`` has all that there is.
"""

REMOVE_SETTLED_REJECTS = """
DELETE FROM crm.rejected_leads AS known
WHERE
    EXISTS (
        SELECT 1
        FROM settled
        WHERE
            settled.received_from = known.received_from
            AND settled.partition_key = known.partition_key
            -- Later deliveries of a day are not among what is loaded.
            AND known.received_at <= settled.until
    )
    AND NOT EXISTS (
        SELECT 1
        FROM rejected
        WHERE
            rejected.received_from = known.received_from
            AND rejected.partition_key = known.partition_key
            AND rejected.raw = known.raw
            AND rejected.reason = known.reason
    )
"""

ADD_NEW_REJECTS = """
MERGE INTO crm.rejected_leads AS known
USING (
    SELECT received_from, partition_key, lead_id, reason, raw, min(received_at) AS received_at
    FROM rejected
    GROUP BY received_from, partition_key, lead_id, reason, raw
) AS new
USING (received_from, partition_key, reason, raw)
WHEN MATCHED AND new.received_at < known.received_at
    THEN UPDATE SET received_at = new.received_at
WHEN NOT MATCHED THEN INSERT BY NAME
"""
"""Equal rejects of a day are one row, of the first arrival, whatever came in first."""

REJECTED_BY_DAY = """
SELECT partition_key, count(*) AS rejected
FROM crm.rejected_leads AS known
LEFT JOIN settled USING (received_from, partition_key)
WHERE received_from = 'poll' OR known.received_at <= settled.until
GROUP BY partition_key
"""
