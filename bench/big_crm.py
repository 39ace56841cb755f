"""A CRM of years, made in seconds: for benchmarks that need one, not for anything else.

Its rows agree with each other, as if they had been loaded: each lead was polled once or twice, its
agent owns the listing, its changes stand in ``lead_events``. One in nine has no agent.

    python -m bench.big_crm PATH [--leads N]
"""

import argparse
import time
from datetime import date
from pathlib import Path

from pf_pipeline.crm import open_crm
from pf_pipeline.crm.connection import open_database

LEADS, PROPERTIES, AGENTS = 1_000_000, 5_000, 50
FIRST_DAY, DAYS = date(2023, 1, 1), 1_000

REFERENCE_DATA = """
INSERT INTO crm.agents
SELECT
    number::VARCHAR AS agent_id,
    'Agent ' || number AS name,
    'agent' || number || '@brokerage.example' AS email,
    (1000 + number)::VARCHAR AS portal_user_id,
    (77000 + number)::VARCHAR AS portal_profile_id,
    TRUE AS active
FROM range($agents) AS numbers (number);

INSERT INTO crm.properties
SELECT printf('APT-%05d', number) AS internal_ref, (number % $agents)::VARCHAR AS agent_id
FROM range($properties) AS numbers (number);
"""

OBSERVATIONS = """
INSERT INTO pipeline.lead_observations BY NAME
WITH
leads AS (
    SELECT
        number,
        list_element(['whatsapp', 'call', 'email'], 1 + number % 3) AS channel,
        $first_day::TIMESTAMPTZ + to_seconds(number * (86400 * $days) // $leads) AS created_at,
        -- One listing in nine is nobody's.
        printf('APT-%05d', number * 7919 % ($properties * 9 // 8)) AS listing_reference
    FROM range($leads) AS numbers (number)
),

-- Every second lead was seen again, when it was answered.
sights AS (
    SELECT *, 0 AS sight FROM leads
    UNION ALL
    SELECT *, 1 AS sight FROM leads WHERE number % 2 = 0
)

SELECT
    channel || '_lead_' || number AS lead_id,
    'poll' AS observed_by,
    md5(number || ' ' || sight) AS content_id,
    created_at + to_minutes(2 + 60 * sight) AS first_observed_at,
    created_at + to_minutes(30 + 200 * sight) AS last_observed_at,
    first_observed_at AS first_received_at,
    created_at,
    channel,
    list_element(['sent', 'replied'], 1 + sight) AS status,
    'listing' AS entity_type,
    'Inquirer ' || number AS name,
    'inquirer' || number || '@mail.example' AS email,
    printf('+9715%08d', number) AS phone,
    phone AS phone_e164,
    'Please call me about this home.' AS message,
    md5(listing_reference) AS listing_id,
    listing_reference,
    lower(listing_reference) AS reference_key,
    (77000 + number % $agents)::VARCHAR AS portal_agent_id,
    'profile' AS portal_agent_kind,
    'https://portal.example/respond/' || md5(number::VARCHAR) AS response_link,
    CASE
        WHEN channel = 'call' AND sight = 1 THEN 'https://recordings.example/' || number || '.mp3'
    END AS recording_url,
    CASE WHEN channel = 'call' THEN 20 + number % 300 END AS talk_seconds,
    CASE WHEN channel = 'call' THEN number % 40 END AS wait_seconds,
    '[]' AS tags
FROM sights
ORDER BY first_observed_at;
"""

LEADS_AND_HISTORY = """
INSERT INTO crm.leads BY NAME
SELECT
    lead_id,
    any_value(channel) AS channel,
    arg_max(status, last_observed_at) AS status,
    any_value(entity_type) AS entity_type,
    any_value(name) AS name,
    any_value(email) AS email,
    any_value(phone) AS phone,
    any_value(phone_e164) AS phone_e164,
    any_value(message) AS message,
    any_value(listing_id) AS listing_id,
    any_value(observed.listing_reference) AS listing_reference,
    any_value(portal_agent_id) AS portal_agent_id,
    any_value(portal_agent_kind) AS portal_agent_kind,
    any_value(internal_ref) AS property_ref,
    any_value(properties.agent_id) AS agent_id,
    CASE
        WHEN any_value(properties.agent_id) IS NULL THEN 'unassigned'
        ELSE 'listing_reference'
    END AS assignment_rule,
    CASE
        WHEN any_value(properties.agent_id) IS NULL
            THEN 'no property has the reference ' || any_value(observed.listing_reference)
        ELSE 'owns the property ' || any_value(internal_ref)
    END AS assignment_reason,
    CASE
        WHEN any_value(properties.agent_id) IS NOT NULL THEN min(first_observed_at)
    END AS assigned_at,
    any_value(response_link) AS response_link,
    any_value(tags) AS tags,
    any_value(created_at) AS created_at,
    min(first_received_at) AS first_seen_at,
    max(first_observed_at) AS updated_at
FROM pipeline.lead_observations AS observed
LEFT JOIN crm.properties AS properties ON observed.listing_reference = properties.internal_ref
GROUP BY lead_id
ORDER BY created_at;

INSERT INTO pipeline.given_agents
SELECT lead_id, agent_id FROM crm.leads WHERE agent_id IS NOT NULL ORDER BY created_at;

INSERT INTO crm.call_recordings
SELECT
    lead_id,
    observed.recording_url,
    observed.talk_seconds,
    observed.wait_seconds,
    leads.agent_id,
    observed.first_observed_at
FROM pipeline.lead_observations AS observed
JOIN crm.leads AS leads USING (lead_id)
WHERE observed.recording_url IS NOT NULL
ORDER BY observed.first_observed_at;

INSERT INTO crm.lead_events
SELECT lead_id, kind, value, occurred_at
FROM (
    SELECT lead_id, 'status' AS kind, status AS value, first_observed_at AS occurred_at
    FROM pipeline.lead_observations
    UNION ALL
    SELECT lead_id, 'recording', recording_url, first_observed_at
    FROM pipeline.lead_observations
    WHERE recording_url IS NOT NULL
    UNION ALL
    SELECT lead_id, 'agent', agent_id, assigned_at
    FROM crm.leads
    WHERE agent_id IS NOT NULL
)
ORDER BY occurred_at;
"""


def fill(path: Path, leads: int = LEADS) -> None:
    """Make a CRM with so many leads.

    Args:
        path: The DuckDB file, which must not stand yet.
        leads: How many; they lie evenly over 1,000 days.

    Raises:
        FileExistsError: There is such a file.
    """
    if path.exists():
        raise FileExistsError(path)
    sizes = {
        "leads": leads,
        "properties": PROPERTIES,
        "agents": AGENTS,
        "days": DAYS,
        "first_day": FIRST_DAY.isoformat(),
    }
    with open_database(f"duckdb:///{path}", lock_timeout=60.0) as connection:
        for script in (REFERENCE_DATA, OBSERVATIONS, LEADS_AND_HISTORY):
            for statement in script.split(";\n"):
                wanted = {name: value for name, value in sizes.items() if f"${name}" in statement}
                if statement.strip():
                    connection.execute(statement, wanted)


def main(path: Path, leads: int = LEADS) -> None:
    """Make one, and print how long that took and how large it is."""
    started = time.perf_counter()
    fill(path, leads)
    seconds = time.perf_counter() - started
    with open_crm(f"duckdb:///{path}") as crm:
        rows = crm.query("SELECT count(*) AS leads FROM crm.leads")["leads"].item()
    print(f"{rows:,} leads in {seconds:.0f} s, {path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("path", type=Path)
    parser.add_argument("--leads", type=int, default=LEADS, help=f"how many (default {LEADS:,})")
    asked = parser.parse_args()
    main(asked.path, asked.leads)
