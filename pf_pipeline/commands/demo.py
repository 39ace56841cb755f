"""``pf-pipeline demo``: the whole way of a lead, against a sandbox, in one go."""

from datetime import date

from rich.console import Console

from pf_pipeline.commands.backfill import BackfillError, run_backfill
from pf_pipeline.commands.sandbox_settings import SANDBOX_URL, sandbox_settings
from pf_pipeline.crm.connection import database_path
from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline.settings import Settings

FIRST, LAST = date(2025, 12, 13), date(2025, 12, 19)
"""A week that ends with the day of the guide's sample lead."""
LATENCY_SECONDS = 0.05

NEXT_STEPS = """
[bold]Next[/]
  make ui        open the Dagster UI with a live sandbox behind it
  make test      run the tests
  The CRM is {crm}; how to look at it, and how to point the
  pipeline at your own portal account, is in README.md.
"""


def run_demo(console: Console) -> None:
    """Start a sandbox, bring a week of its leads into the CRM, and say what to do next.

    Raises:
        BackfillError: A step failed, or the accounts do not agree.
        SettingsError: The settings are wrong, or the data folder holds real leads.
    """
    options = SandboxOptions(
        first_day=FIRST, last_day=LAST, latency_seconds=LATENCY_SECONDS, public_url=SANDBOX_URL
    )
    with running_sandbox(options) as sandbox:
        settings = sandbox_settings(sandbox.base_url, options).model_copy(
            # The week lies beyond what atlas may be asked for.
            update={"api_dialect": "guide"}
        )
        accounts = run_backfill(settings, FIRST, LAST, console)
        hits = sandbox.stats()["response_link_hits"]
    if not all(account.agrees for account in accounts):
        raise BackfillError("received is not loaded + duplicate + rejected on every day.")
    if hits:
        raise BackfillError(f"{hits} response links were requested, which must never happen.")
    console.print(
        "On every day received = loaded + duplicate + rejected, and one rule decided\n"
        "each loaded lead. No response link was touched.",
        highlight=False,
    )
    console.print(NEXT_STEPS.format(crm=_crm_path(settings)), highlight=False, soft_wrap=True)


def _crm_path(settings: Settings) -> str:
    return str(database_path(settings.crm_location))
