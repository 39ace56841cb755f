"""The assignment rules: which agent gets which lead, by which rule, and why.

The rules themselves are ``assignment.sql``, which the CRM runs over its own tables; here they run
over frames, for the staged files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select
from pf_pipeline.leads.merging import MERGE_LAW, MERGE_LAW_ONCE
from pf_pipeline.leads.ownership import LOOKUPS
from pf_pipeline.leads.portal_directory import read_listings, read_users

DAY_LENGTH = len("2025-12-19")

ASSIGNMENT_RULES = files(__package__).joinpath("assignment.sql").read_text(encoding="utf-8")

MERGE_AND_ASSIGN, MERGE_AND_ASSIGN_ONCE = (
    f"""
    WITH leads AS (SELECT * FROM ({law}))
    SELECT * FROM ({ASSIGNMENT_RULES})
    """
    for law in (MERGE_LAW, MERGE_LAW_ONCE)
)
"""Leads with their agents from ``observations`` and the lookups of :class:`ReferenceData`.

The second is for leads with one observation each: for a few leads, planning the first takes most
of the time.
"""

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


@dataclass(frozen=True)
class ReferenceData:
    """What the assignment rules decide by.

    Attributes:
        properties: The CRM's listings: ``internal_ref``, ``reference_key``, ``agent_id``.
        agents: The CRM's people: ``agent_id``, ``email``, ``portal_user_id``,
            ``portal_profile_id``, ``active``.
        portal_users: The portal's people, as
            :func:`~pf_pipeline.leads.portal_directory.read_users` gives them.
        portal_listings: The portal's listings, as
            :func:`~pf_pipeline.leads.portal_directory.read_listings` gives them.
    """

    properties: pd.DataFrame
    agents: pd.DataFrame
    portal_users: pd.DataFrame = field(default_factory=lambda: read_users([]))
    portal_listings: pd.DataFrame = field(default_factory=lambda: read_listings([]))

    def lookups(self) -> dict[str, pd.DataFrame]:
        """What the rules look up, see :data:`~pf_pipeline.leads.ownership.LOOKUPS`."""
        frames = {
            "properties": self.properties,
            "agents": self.agents,
            "portal_users": self.portal_users,
            "portal_listings": self.portal_listings,
        }
        found: dict[str, pd.DataFrame] = {}
        for name, sql in LOOKUPS.items():
            found[name] = select(sql, **frames, **found)
        return found


def assign_leads(leads: pd.DataFrame, reference: ReferenceData) -> pd.DataFrame:
    """Give every lead its agent.

    Args:
        leads: One row a lead: ``listing_reference``, ``reference_key``, ``portal_agent_id``,
            ``portal_agent_kind``, and whatever else.
        reference: What the rules decide by.

    Returns:
        The leads with ``property_ref``, ``agent_id``, ``assignment_rule`` and
        ``assignment_reason``.
    """
    return select(ASSIGNMENT_RULES, leads=leads, **reference.lookups())


def merge_and_assign(
    observations: Mapping[date, pd.DataFrame], reference: ReferenceData
) -> dict[date, pd.DataFrame]:
    """Make one lead of its observations by the merge law, and give it its agent, day by day.

    Args:
        observations: For each day columns of :class:`~pf_pipeline.leads.schema.Observation`. A
            lead that stands in several days is merged in each of them by itself.
        reference: What the rules decide by.

    Returns:
        For each day one row a lead, ordered by creation and id.
    """
    # All days in one query: planning it takes longer than running it.
    leads = select(
        MERGE_AND_ASSIGN_BY_DAY,
        observations_by_day=pd.concat(
            [frame.assign(day=day.isoformat()) for day, frame in observations.items()]
        ),
        **reference.lookups(),
    )
    days = leads.pop("day")
    return {day: leads[days == day.isoformat()].reset_index(drop=True) for day in observations}
