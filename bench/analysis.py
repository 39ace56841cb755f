"""The metrics over a million leads: how long each takes, and how long reading their frames does.

A CRM of made-up leads is written in SQL, and read as a notebook reads it.

    python -m bench.analysis [--leads N]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bench.machine import describe_machine
from pf_pipeline import analysis
from pf_pipeline.crm import open_crm
from pf_pipeline.settings import load_settings

LEADS, RUNS = 1_000_000, 3
QUESTION = (
    "SELECT channel, count(*) AS leads, max(created_at) AS newest FROM crm.leads GROUP BY ALL"
)
SYNTHETIC = """
INSERT INTO crm.properties
SELECT 'APT-' || i, 'A-' || i % 60 FROM range(3000) AS r(i);

INSERT INTO crm.leads BY NAME
SELECT
    'lead-' || i AS lead_id,
    ['call', 'whatsapp', 'whatsapp', 'email'][1 + i % 4] AS channel,
    ['sent', 'delivered', 'read', 'replied'][1 + (hash(i) % 4)::BIGINT] AS status,
    '+9715' || lpad((hash(i) % 60000000)::VARCHAR, 8, '0') AS phone_e164,
    CASE WHEN i % 7 = 0 THEN 'OLD-' || hash(i) % 900 ELSE 'APT-' || hash(i) % 3000 END
        AS listing_reference,
    CASE WHEN i % 7 > 0 THEN listing_reference END AS property_ref,
    CASE WHEN i % 9 > 0 THEN 'A-' || hash(i) % 60 END AS agent_id,
    CASE WHEN agent_id IS NULL THEN 'unassigned' ELSE 'listing_reference' END AS assignment_rule,
    'reason ' || hash(i) % 200 AS assignment_reason,
    TIMESTAMPTZ '2024-01-01 00:00+00' + to_seconds(i * 60) AS created_at,
    created_at + to_seconds(120) AS first_seen_at,
    created_at + to_seconds(120) AS updated_at
FROM range({leads}) AS r(i);

INSERT INTO crm.lead_events
SELECT lead_id, 'status', 'replied', created_at + to_seconds((hash(lead_id) % 90000)::BIGINT)
FROM crm.leads WHERE status = 'replied';

INSERT INTO crm.call_recordings
SELECT
    lead_id, 'https://recordings.example/' || lead_id, hash(lead_id) % 300, 9, agent_id, created_at
FROM crm.leads WHERE channel = 'call' AND status = 'replied';

INSERT INTO pipeline.lead_observations BY NAME
SELECT
    lead_id, 'poll' AS observed_by, lead_id AS content_id, first_seen_at AS first_observed_at,
    first_seen_at AS last_observed_at, created_at, channel
FROM crm.leads;
"""


def main(leads: int = LEADS) -> None:
    """Print the seconds of each metric."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crm.duckdb"
        with open_crm(f"duckdb:///{path}"):
            pass  # the tables
        with duckdb.connect(str(path)) as crm:
            crm.execute(SYNTHETIC.format(leads=leads))
        settings = load_settings(crm_url=f"duckdb:///{path}")
        print(f"\nMetrics over {leads:,} leads, medians of {RUNS} runs, in seconds")
        _print_row("query, leads by channel", lambda: analysis.query(QUESTION, settings=settings))
        started = time.perf_counter()
        frames = analysis.read_crm(settings=settings)
        print(f"{'read_crm, all frames, once':34}{time.perf_counter() - started:8.2f}")
        for name, metric in _metrics(frames).items():
            _print_row(name, metric)


def _print_row(name: str, work: Callable[[], object]) -> None:
    print(f"{name:34}{statistics.median(_seconds(work) for _ in range(RUNS)):8.2f}")


def _metrics(crm: analysis.CrmFrames) -> dict[str, Callable[[], object]]:
    leads, timezone, now = crm.leads, crm.timezone, datetime.now(UTC)
    replies = analysis.first_replies(leads, crm.events)
    return {
        "leads_by_day": lambda: analysis.leads_by_day(leads, timezone),
        "leads_by_channel": lambda: analysis.leads_by_channel(leads),
        "leads_by_hour_and_weekday": lambda: analysis.leads_by_hour_and_weekday(leads, timezone),
        "leads_by_listing": lambda: analysis.leads_by_listing(leads),
        "leads_by_agent": lambda: analysis.leads_by_agent(leads),
        "leads_per_listing_week": lambda: analysis.leads_per_listing_week(
            leads, crm.properties, timezone
        ),
        "repeat_inquirers": lambda: analysis.repeat_inquirers(leads),
        "watched_leads": lambda: analysis.watched_leads(leads),
        "first_replies": lambda: analysis.first_replies(leads, crm.events),
        "within_office_hours": lambda: analysis.within_office_hours(replies, timezone),
        "speed_to_lead, by agent": lambda: analysis.speed_to_lead(replies, ["agent_id"]),
        "answered_calls, by agent": lambda: analysis.answered_calls(leads, ["agent_id"]),
        "missed_calls": lambda: analysis.missed_calls(leads),
        "talk_time, by agent": lambda: analysis.talk_time(crm.recordings, ["agent_id"]),
        "recordings_coverage, by agent": lambda: analysis.recordings_coverage(
            leads, crm.recordings, ["agent_id"]
        ),
        "unassigned_backlog": lambda: analysis.unassigned_backlog(leads, now),
        "unmatched_references": lambda: analysis.unmatched_references(leads, crm.properties),
        "arrival_delays": lambda: analysis.arrival_delays(crm.observations),
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--leads", type=int, default=LEADS, help=f"how many (default {LEADS})")
    print(describe_machine())
    main(parser.parse_args().leads)
