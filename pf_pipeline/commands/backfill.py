"""``pf-pipeline backfill``: bring a range of days from the portal into the CRM."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from pf_pipeline.commands.progress import ProgressBars, notes_on
from pf_pipeline.commands.tables import account_table
from pf_pipeline.crm.reference_data import KEEP_CRM_TABLES, read_agents, read_properties
from pf_pipeline.orchestration.accounts import DayAccount
from pf_pipeline.orchestration.backfill import backfill
from pf_pipeline.orchestration.origin import check_origin, check_own_people
from pf_pipeline.orchestration.partitions import FIRST_DAY
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.settings import Settings, SettingsError


class BackfillError(Exception):
    """The backfill failed; the message says why, one sentence a line."""


def check_days(first: date, last: date) -> None:
    """Refuse a range that no partition covers.

    Raises:
        SettingsError: The range is empty, in the future, or before the first partition.
    """
    today = datetime.now(UTC).date()
    if first > last:
        raise SettingsError(f"--from {first} lies after --to {last}: swap them.")
    if last > today:
        raise SettingsError(f"--to {last} lies in the future: today is {today} (UTC).")
    if first < FIRST_DAY:
        raise SettingsError(f"--from {first} lies before {FIRST_DAY}, the first partition.")


def run_backfill(settings: Settings, first: date, last: date, console: Console) -> list[DayAccount]:
    """Bring days into the CRM, with progress, and print what became of every record.

    What can be known to be wrong before a long run starts is found before it starts.

    Raises:
        SettingsError: The days or the settings are wrong.
        ReferenceDataError: The properties or agents cannot be read.
        PortalError: The portal cannot be reached or refuses.
        CrmError: The CRM cannot be opened.
        BackfillError: A step or a check failed.
    """
    check_days(first, last)
    check_beforehand(settings)
    days = (last - first).days + 1
    passes = 1 if settings.api_dialect == "guide" else days
    console.print(
        f"Bringing {_span(first, last)} from {settings.api_base_url} into the CRM.",
        soft_wrap=True,
        highlight=False,
    )
    with ProgressBars(console, passes=passes, days=days) as bars, notes_on(console):
        outcome = backfill(Pipeline(settings, watcher=bars), first, last)
    for warning in outcome.warnings:
        console.print(f"[yellow]Note:[/] {warning}", highlight=False)
    if outcome.accounts:
        console.print(account_table(outcome.accounts))
    if outcome.problems:
        raise BackfillError("\n".join(outcome.problems))
    return outcome.accounts


def check_beforehand(settings: Settings) -> None:
    """Fail within seconds, instead of midway, over what cannot work."""
    check_origin(settings)
    check_own_people(settings)
    if settings.properties != KEEP_CRM_TABLES:
        read_properties(Path(settings.properties))
    if settings.agents != KEEP_CRM_TABLES:
        read_agents(Path(settings.agents))
    pipeline = Pipeline(settings.model_copy(update={"request_attempts": 1}))
    with pipeline.crm():
        pass
    now = datetime.now(UTC)
    with pipeline.portal() as portal:
        portal.page(1, now - timedelta(minutes=1), now)


def _span(first: date, last: date) -> str:
    return f"the leads of {first}" if first == last else f"the leads of {first} to {last}"
