"""The assignment rules: which agent gets which lead, by which rule, and why.

The rules themselves are ``assignment.sql``, which the CRM runs over its own tables; here they run
over frames, for the staged files.
"""

from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select

ASSIGNMENT_RULES = files(__package__).joinpath("assignment.sql").read_text(encoding="utf-8")


def assign_leads(
    leads: pd.DataFrame, properties: pd.DataFrame, agents: pd.DataFrame
) -> pd.DataFrame:
    """Give every lead its agent.

    Args:
        leads: One row a lead, as :func:`~pf_pipeline.leads.merging.merge_observations` gives.
        properties: The CRM's listings: ``internal_ref``, ``reference_key``, ``agent_id``.
        agents: The CRM's people: ``agent_id``, ``portal_user_id``, ``portal_profile_id``,
            ``active``.

    Returns:
        The leads with ``property_ref``, ``agent_id``, ``assignment_rule`` and
        ``assignment_reason``, ordered by creation and id.
    """
    return select(
        f"SELECT * FROM ({ASSIGNMENT_RULES}) ORDER BY created_at, lead_id",
        leads=leads,
        properties=properties,
        agents=agents,
    )
