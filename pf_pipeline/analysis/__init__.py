"""What a notebook needs: questions to the CRM as DataFrames, and the metrics of leads.

``query`` opens the CRM for the moment of a question, masks who people are, and writes nothing.
The metrics are pure functions over the frames that :func:`read_crm` gives.
"""

from pf_pipeline.analysis.asking import query
from pf_pipeline.analysis.calls import (
    answered_calls,
    missed_calls,
    recordings_coverage,
    talk_time,
)
from pf_pipeline.analysis.errors import QueryError
from pf_pipeline.analysis.quality import (
    arrival_delays,
    unassigned_backlog,
    unmatched_references,
)
from pf_pipeline.analysis.reading import CrmFrames, read_crm
from pf_pipeline.analysis.responses import (
    OfficeHours,
    first_replies,
    speed_to_lead,
    watched_leads,
    within_office_hours,
)
from pf_pipeline.analysis.volumes import (
    WEEKDAYS,
    hide_small_samples,
    leads_by_agent,
    leads_by_channel,
    leads_by_day,
    leads_by_hour_and_weekday,
    leads_by_listing,
    leads_per_listing_week,
    repeat_inquirers,
)

__all__ = [
    "WEEKDAYS",
    "CrmFrames",
    "OfficeHours",
    "QueryError",
    "answered_calls",
    "arrival_delays",
    "first_replies",
    "hide_small_samples",
    "leads_by_agent",
    "leads_by_channel",
    "leads_by_day",
    "leads_by_hour_and_weekday",
    "leads_by_listing",
    "leads_per_listing_week",
    "missed_calls",
    "query",
    "read_crm",
    "recordings_coverage",
    "repeat_inquirers",
    "speed_to_lead",
    "talk_time",
    "unassigned_backlog",
    "unmatched_references",
    "watched_leads",
    "within_office_hours",
]
