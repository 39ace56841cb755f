"""The assignment rules: which agent gets which lead, by which rule, and why.

The rules themselves are ``assignment.sql``, which the CRM runs over its own tables; here they run
over frames, for the staged files.
"""

from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select
from pf_pipeline.leads.merging import MERGE_LAW

ASSIGNMENT_RULES = files(__package__).joinpath("assignment.sql").read_text(encoding="utf-8")

MERGE_AND_ASSIGN = f"""
WITH leads AS (SELECT * FROM ({MERGE_LAW}))
SELECT * FROM ({ASSIGNMENT_RULES})
"""
"""Leads with their agents from the relations ``observations``, ``properties``, ``agents``."""


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
    observations: pd.DataFrame, properties: pd.DataFrame, agents: pd.DataFrame
) -> pd.DataFrame:
    """Make one lead of its observations by the merge law, and give it its agent.

    Args:
        observations: Columns of :class:`~pf_pipeline.leads.schema.Observation`.
        properties: As for :func:`assign_leads`.
        agents: As for :func:`assign_leads`.

    Returns:
        One row a lead, ordered by creation and id.
    """
    return select(
        f"SELECT * FROM ({MERGE_AND_ASSIGN}) ORDER BY created_at, lead_id",
        observations=observations.drop(columns="times_observed"),
        properties=properties,
        agents=agents,
    )
