"""A CRM of four weeks that were polled every five minutes, for the notebooks to show.

The sandbox's leads and their lives, parsed, assigned and merged as always; only the polls are
reckoned instead of made. ``make demo`` cannot do it: it reads its week once, long after, and so
sees no lead being answered. Agents of the sandbox are all equally slow, so here some are quicker.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from pf_pipeline.commands.sandbox_settings import REFERENCE, SANDBOX_URL
from pf_pipeline.crm import open_crm
from pf_pipeline.crm.reference_data import read_agents, read_properties
from pf_pipeline.leads.observing import Sighting, observe
from pf_pipeline.sandbox import SandboxOptions, leads_of_day
from pf_pipeline.sandbox.dialects import atlas_record
from pf_pipeline.sandbox.life import Stage, life_of

FIRST, DAYS = date(2025, 12, 1), 28
POLL = timedelta(minutes=5)
WATCHED = timedelta(days=7)
"""How long a lead is read again after its creation, as the nightly sweeps do."""
QUICKEST, SLOWEST = 0.004, 0.9
"""The share of the sandbox's own waiting times that the quickest and the slowest agent take."""
OPTIONS = SandboxOptions(leads_change=True)


def build_demo_crm(path: Path) -> None:
    """Make the CRM, in place of whatever was there.

    Args:
        path: A DuckDB file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open_crm(f"duckdb:///{path}") as crm:
        crm.replace_properties(read_properties(REFERENCE / "properties.csv"))
        crm.replace_agents(read_agents(REFERENCE / "agents.csv"))
        for offset in range(DAYS):
            day = FIRST + timedelta(days=offset)
            observed = observe(_sightings(day), partition_key=day.isoformat(), country="AE")
            crm.load_leads(observed.observations, observed.rejected, days=[day.isoformat()])
            crm.load_call_recordings(observed.observations["lead_id"])


def _sightings(day: date) -> Iterator[Sighting]:
    """What polls saw of the leads of a day: each stage from the poll after it on."""
    for lead in leads_of_day(OPTIONS.seed, day, OPTIONS.leads_per_day):
        stages = [_hastened(stage, lead.created_at) for stage in life_of(lead, OPTIONS)]
        ends = [*(stage.since for stage in stages[1:]), lead.created_at + WATCHED]
        for stage, end in zip(stages, ends, strict=True):
            first, last = _next_poll(stage.since), _next_poll(end) - POLL
            if first <= last:
                yield Sighting([atlas_record(stage.lead, SANDBOX_URL)], first, last, 1)


def _hastened(stage: Stage, created_at: datetime) -> Stage:
    """A stage as soon as the lead's agent comes to it; messages only, calls are what they are."""
    agent = stage.lead.agent
    if stage.lead.call is not None or agent is None:
        return stage
    # By the agent's number, evenly from the quickest to the slowest.
    place = (agent.portal_profile_id or 0) % 10 / 9
    share = QUICKEST * (SLOWEST / QUICKEST) ** place
    return replace(stage, since=created_at + (stage.since - created_at) * share)


def _next_poll(instant: datetime) -> datetime:
    """When the poll that first sees something of an instant looks."""
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + POLL * -(-(instant - midnight) // POLL)
