"""The assignment rules: which agent gets which lead, by which rule, and why.

The rules themselves are ``assignment.sql``, which the CRM runs over its own tables; here they run
over frames, for the staged files.
"""

from collections.abc import Mapping
from datetime import date
from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select
from pf_pipeline.leads.merging import MERGE_LAW

DAY_LENGTH = len("2025-12-19")

ASSIGNMENT_RULES = files(__package__).joinpath("assignment.sql").read_text(encoding="utf-8")

MERGE_AND_ASSIGN = f"""
WITH leads AS (SELECT * FROM ({MERGE_LAW}))
SELECT * FROM ({ASSIGNMENT_RULES})
"""
"""Leads with their agents from the relations ``observations``, ``properties``, ``agents``."""

MERGE_AND_ASSIGN_BY_DAY = f"""
WITH observations AS (
    -- The day in front of the id keeps the days apart.
    SELECT * EXCLUDE (day, times_observed) REPLACE (day || lead_id AS lead_id)
    FROM observations_by_day
)
SELECT
    * REPLACE (substr(lead_id, {DAY_LENGTH + 1}) AS lead_id),
    substr(lead_id, 1, {DAY_LENGTH}) AS day
FROM ({MERGE_AND_ASSIGN})
ORDER BY created_at, lead_id
"""


def assign_leads(
    leads: pd.DataFrame, properties: pd.DataFrame, agents: pd.DataFrame
) -> pd.DataFrame:
    """Give every lead its agent.

    Args:
        leads: One row a lead: ``listing_reference``, ``reference_key``, ``portal_agent_id``,
            ``portal_agent_kind``, and whatever else.
        properties: The CRM's listings: ``internal_ref``, ``reference_key``, ``agent_id``.
        agents: The CRM's people: ``agent_id``, ``portal_user_id``, ``portal_profile_id``,
            ``active``.

    Returns:
        The leads with ``property_ref``, ``agent_id``, ``assignment_rule`` and
        ``assignment_reason``.
    """
    return select(ASSIGNMENT_RULES, leads=leads, properties=properties, agents=agents)


def merge_and_assign(
    observations: Mapping[date, pd.DataFrame], properties: pd.DataFrame, agents: pd.DataFrame
) -> dict[date, pd.DataFrame]:
    """Make one lead of its observations by the merge law, and give it its agent, day by day.

    Args:
        observations: For each day columns of :class:`~pf_pipeline.leads.schema.Observation`. A
            lead that stands in several days is merged in each of them by itself.
        properties: As for :func:`assign_leads`.
        agents: As for :func:`assign_leads`.

    Returns:
        For each day one row a lead, ordered by creation and id.
    """
    # All days in one query: planning it takes longer than running it.
    leads = select(
        MERGE_AND_ASSIGN_BY_DAY,
        observations_by_day=pd.concat(
            [frame.assign(day=day.isoformat()) for day, frame in observations.items()]
        ),
        properties=properties,
        agents=agents,
    )
    days = leads.pop("day")
    return {day: leads[days == day.isoformat()].reset_index(drop=True) for day in observations}
