"""The frames that the metrics need, asked of the CRM in one go."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import pandas as pd

from pf_pipeline.analysis.asking import query
from pf_pipeline.settings import Settings, load_settings

LEADS = """
SELECT
    lead_id,
    channel,
    status,
    phone_e164,
    email,
    listing_reference,
    property_ref,
    agent_id,
    assignment_rule,
    assignment_reason,
    created_at,
    first_seen_at
FROM crm.leads
ORDER BY created_at, lead_id
"""
STATUSES = """
SELECT lead_id, kind, value, occurred_at
FROM crm.lead_events
WHERE kind = 'status'
"""
ARRIVALS = """
SELECT
    lead_id,
    observed_by,
    min(first_observed_at) AS first_observed_at,
    min(created_at) AS created_at
FROM pipeline.lead_observations
GROUP BY lead_id, observed_by
"""


@dataclass(frozen=True)
class CrmFrames:
    """The CRM's tables as frames, as they were at one time or shortly after.

    Attributes:
        leads: One row a lead, ordered by creation; of ``crm.leads`` what metrics need.
        events: The statuses of ``crm.lead_events``.
        recordings: ``crm.call_recordings``.
        properties: ``crm.properties``.
        agents: ``crm.agents``.
        observations: When each lead was first seen, by polls and by webhooks.
        timezone: The display time zone, such as ``Asia/Dubai``.
    """

    leads: pd.DataFrame
    events: pd.DataFrame
    recordings: pd.DataFrame
    properties: pd.DataFrame
    agents: pd.DataFrame
    observations: pd.DataFrame
    timezone: str

    def latest(self, days: int) -> "CrmFrames":
        """The leads of the last days that have any, with what belongs to them.

        Args:
            days: How many days of the display time zone, the newest lead's included.
        """
        if self.leads.empty:
            return self
        newest = self.leads["created_at"].max().tz_convert(self.timezone).tz_localize(None)
        first = newest.normalize() - pd.Timedelta(days=days - 1)
        local = self.leads["created_at"].dt.tz_convert(self.timezone).dt.tz_localize(None)
        leads = self.leads[local >= first].reset_index(drop=True)

        def theirs(frame: pd.DataFrame) -> pd.DataFrame:
            return frame[frame["lead_id"].isin(leads["lead_id"])].reset_index(drop=True)

        return replace(
            self,
            leads=leads,
            events=theirs(self.events),
            recordings=theirs(self.recordings),
            observations=theirs(self.observations),
        )


def read_crm(*, reveal: Collection[str] = (), settings: Settings | None = None) -> CrmFrames:
    """Read what the metrics need, table by table; nothing stays open.

    Args:
        reveal: As for :func:`~pf_pipeline.analysis.query`.
        settings: Where the CRM is; those of the environment and ``.env`` unless given.

    Raises:
        QueryError: The CRM is missing or held; one sentence.
        SettingsError: A setting is wrong.
    """
    settings = settings or load_settings()

    def ask(sql: str) -> pd.DataFrame:
        return query(sql, reveal=reveal, settings=settings)

    return CrmFrames(
        leads=ask(LEADS),
        events=ask(STATUSES),
        recordings=ask("SELECT * FROM crm.call_recordings"),
        properties=ask("SELECT * FROM crm.properties"),
        agents=ask("SELECT * FROM crm.agents ORDER BY agent_id"),
        observations=ask(ARRIVALS),
        timezone=settings.display_timezone,
    )
