"""The lead report: one HTML page for the manager, made of the metrics, without personal data.

Agents stand in it by their ids. Everything else that says who somebody is never comes in: the
frames are read masked, and no masked column is shown.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from pf_pipeline.analysis import pages
from pf_pipeline.analysis.calls import CALL, answered_calls, recordings_coverage
from pf_pipeline.analysis.quality import (
    arrival_delays,
    unassigned_backlog,
    unmatched_references,
)
from pf_pipeline.analysis.reading import CrmFrames
from pf_pipeline.analysis.responses import first_replies, speed_to_lead, watched_leads
from pf_pipeline.analysis.volumes import (
    HOURS,
    WEEKDAYS,
    hide_small_samples,
    leads_by_channel,
    leads_by_day,
    leads_by_hour_and_weekday,
    leads_by_listing,
    leads_per_listing_week,
)

REPORT_DAYS = 28
LONGEST_LISTS = 15
UNKNOWN = "\N{EN DASH}"
SECONDS_A_MINUTE, MINUTES_AN_HOUR, MINUTES_A_DAY = 60, 60, 24 * 60


def report_page(crm: CrmFrames, now: datetime) -> str:
    """The report as a self-contained HTML page, of the last 28 days that have leads.

    Args:
        crm: As :func:`~pf_pipeline.analysis.read_crm` gives it, with nothing revealed.
        now: The present, an aware instant.
    """
    recent = crm.latest(REPORT_DAYS)
    sections = [_heading(recent, now), pages.figures(key_figures(recent))]
    if not recent.leads.empty:
        sections += [
            _speed(recent),
            _calls(recent),
            _backlog(recent, now),
            _days(recent),
            _listings(recent),
            _arrivals(recent),
        ]
    return pages.page("Lead report", sections)


def key_figures(crm: CrmFrames) -> dict[str, str]:
    """The figures that a manager looks at first: what each says, and it in words."""
    speed = speed_to_lead(_replies(crm))
    calls = answered_calls(crm.leads)
    return {
        "leads": f"{len(crm.leads):,}",
        "of messages replied to within 1 h": _share(speed["within_1_h"]),
        "of calls answered": _share(calls["answered_rate"]),
        "leads without an agent": f"{int(crm.leads['agent_id'].isna().sum()):,}",
    }


def duration(minutes: float) -> str:
    """A time in the two largest units that matter, such as ``3 h 20 min``."""
    if pd.isna(minutes):
        return UNKNOWN
    whole = round(minutes)
    if whole >= MINUTES_A_DAY:
        days, rest = divmod(whole, MINUTES_A_DAY)
        return f"{days} d {rest // MINUTES_AN_HOUR} h"
    if whole >= MINUTES_AN_HOUR:
        hours, rest = divmod(whole, MINUTES_AN_HOUR)
        return f"{hours} h {rest} min"
    return f"{whole} min"


def percent(share: float) -> str:
    """A share, 0 to 1, as people read it."""
    return UNKNOWN if pd.isna(share) else f"{share:.0%}"


def _heading(crm: CrmFrames, now: datetime) -> str:
    made = f"made on {_day(pd.Timestamp(now).tz_convert(crm.timezone))}"
    if crm.leads.empty:
        return pages.heading("Lead report", f"The CRM has no leads yet; {made}.")
    created = crm.leads["created_at"].dt.tz_convert(crm.timezone)
    span = f"{_day(created.min())} to {_day(created.max())}"
    return pages.heading(
        "Lead report", f"Leads of {span}; days and hours of {crm.timezone}; {made}."
    )


def _speed(crm: CrmFrames) -> str:
    agents = hide_small_samples(speed_to_lead(_replies(crm), ["agent_id"]))
    ordered = agents.sort_values(["within_1_h", "agent_id"], ignore_index=True)
    return pages.section(
        "Who answers messages late",
        "The share replied to within 1 h, the lowest first: talk to the first ones. The median and "
        "the time within which 9 of 10 came are of the replies, and upper bounds: a reply is seen "
        "at the next look. Agents with fewer than 10 messages are left out, and so are messages "
        "without a status (guide) or first seen after an hour.",
        _table(
            ordered,
            {
                "agent_id": ("agent", _agent),
                "leads": ("messages", int),
                "within_1_h": ("within 1 h", percent),
                "never": ("never", percent),
                "median_minutes": ("median", duration),
                "p90_minutes": ("9 of 10 within", duration),
            },
            bar="within_1_h",
        ),
    )


def _calls(crm: CrmFrames) -> str:
    agents = hide_small_samples(answered_calls(crm.leads, ["agent_id"]), "calls")
    covered = recordings_coverage(crm.leads, crm.recordings, ["agent_id"])
    both = agents.merge(covered[["agent_id", "coverage"]], on="agent_id", how="left")
    return pages.section(
        "Who misses calls",
        "Answered of all calls, the lowest rate first; recorded of the calls that were answered. "
        "Agents with fewer than 10 calls are left out.",
        _table(
            both.sort_values(["answered_rate", "agent_id"], ignore_index=True),
            {
                "agent_id": ("agent", _agent),
                "calls": ("calls", int),
                "missed": ("missed", int),
                "answered_rate": ("answered", percent),
                "coverage": ("recorded", percent),
            },
            bar="answered_rate",
        ),
    )


def _backlog(crm: CrmFrames, now: datetime) -> str:
    return pages.section(
        "What nobody works on",
        "Leads without an agent, by the reason; and references in leads that no property has, with "
        "the one that they are closest to. Mend them in the CRM's properties and agents: the next "
        "run tries these leads again.",
        _table(
            unassigned_backlog(crm.leads, now).head(LONGEST_LISTS),
            {
                "reason": ("reason", str),
                "leads": ("leads", int),
                "days_waiting": ("oldest, days", round),
            },
            bar="leads",
        ),
        _table(
            unmatched_references(crm.leads, crm.properties).head(LONGEST_LISTS),
            {
                "listing_reference": ("reference in leads", str),
                "closest_reference": ("closest property", _text),
                "leads": ("leads", int),
            },
            bar="leads",
        ),
    )


def _days(crm: CrmFrames) -> str:
    week = leads_by_hour_and_weekday(crm.leads, crm.timezone)
    return pages.section(
        "When leads come",
        f"By hour and weekday in {crm.timezone}, the darker the more: somebody should be there "
        "when it is dark. Then by channel, and by day.",
        pages.grid(
            [str(hour) for hour in HOURS],
            [
                (name, week.loc[week["weekday"] == weekday, "leads"].tolist())
                for weekday, name in enumerate(WEEKDAYS)
            ],
        ),
        _table(
            leads_by_channel(crm.leads),
            {
                "channel": ("channel", str),
                "leads": ("leads", int),
                "share": ("share", percent),
            },
            bar="leads",
        ),
        _table(
            leads_by_day(crm.leads, crm.timezone),
            {"day": ("day", _short_day), "leads": ("leads", int)},
            bar="leads",
        ),
    )


def _listings(crm: CrmFrames) -> str:
    return pages.section(
        "Which listings are asked for",
        "The most asked for; and leads a listing and week, over all listings in the CRM.",
        _table(
            leads_by_listing(crm.leads).head(LONGEST_LISTS),
            {"property_ref": ("listing", str), "leads": ("leads", int)},
            bar="leads",
        ),
        _table(
            leads_per_listing_week(crm.leads, crm.properties, crm.timezone),
            {
                "week": ("week from", _short_day),
                "days": ("days of it", int),
                "leads": ("leads", int),
                "leads_per_listing": ("leads a listing and week", _decimal),
            },
        ),
    )


def _arrivals(crm: CrmFrames) -> str:
    delays = arrival_delays(crm.observations)
    for name in ("median_seconds", "p99_seconds"):
        delays[name] /= SECONDS_A_MINUTE
    return pages.section(
        "How soon leads reach the CRM",
        "From a lead's creation until the pipeline first saw it; those that a backfill brought in "
        "more than a day later are left out.",
        _table(
            delays,
            {
                "observed_by": ("seen by", str),
                "leads": ("leads", int),
                "median_seconds": ("median", duration),
                "p99_seconds": ("99 of 100 within", duration),
            },
        ),
    )


def _table(
    figures: pd.DataFrame, columns: Mapping[str, tuple[str, Callable[[Any], object]]], bar: str = ""
) -> str:
    """A table of some columns, each with its heading and how a value is shown."""
    shown = [[show(value) for value in figures[name]] for name, (_, show) in columns.items()]
    headings = [heading for heading, _ in columns.values()]
    return pages.table(headings, zip(*shown, strict=True), figures[bar].tolist() if bar else ())


def _replies(crm: CrmFrames) -> pd.DataFrame:
    """Of messages: a call is answered at once or missed."""
    messages = crm.leads[crm.leads["channel"] != CALL]
    return first_replies(watched_leads(messages), crm.events)


def _share(of_all: pd.Series) -> str:
    """The one share that a figure over all leads has, or none."""
    return UNKNOWN if of_all.empty else percent(of_all.iloc[0])


def _agent(agent_id: object) -> str:
    return agent_id if isinstance(agent_id, str) else "nobody"


def _text(value: object) -> str:
    return value if isinstance(value, str) else UNKNOWN


def _decimal(value: float) -> str:
    return UNKNOWN if pd.isna(value) else f"{value:.2f}"


def _day(instant: pd.Timestamp) -> str:
    return f"{instant:%A %d %B %Y}"


def _short_day(day: pd.Timestamp) -> str:
    return f"{day:%a %d %b}"
