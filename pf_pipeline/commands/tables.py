"""The table that a backfill ends with."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from pf_pipeline.orchestration.accounts import DayAccount

RULES = {
    "listing_reference": "by\nlisting",
    "portal_agent": "by\nportal",
    "portal_listing": "by portal's\nlisting",
    "manual": "manual",
    "unassigned": "un-\nassigned",
}
SHOWN_IF_ANY = {"portal_listing", "manual"}
"""The assignment rules, as the headings that fit a line of 80 characters."""


def account_table(accounts: Sequence[DayAccount]) -> Table:
    """What became of every record of every day, with sums.

    received = loaded + duplicate + rejected, and loaded is the sum over the rules.
    """
    rules = [
        rule
        for rule in RULES
        if rule not in SHOWN_IF_ANY or any(account.by_rule.get(rule) for account in accounts)
    ]
    table = Table(title="What became of every record", show_footer=True, box=box.SIMPLE, padding=0)
    rows = [_numbers(account, rules) for account in accounts]
    sums = [sum(column) for column in zip(*rows, strict=True)]
    table.add_column("day (UTC)", footer="sum")
    headings = ["received", "loaded", "duplicate", "rejected"]
    headings += [*(RULES[rule] for rule in rules), "record-\nings"]
    for heading, total in zip(headings, sums, strict=True):
        table.add_column(heading, footer=f"{total:,}", justify="right")
    for account, row in zip(accounts, rows, strict=True):
        table.add_row(account.day.isoformat(), *(f"{number:,}" for number in row))
    return table


def _numbers(account: DayAccount, rules: Sequence[str]) -> list[int]:
    return [
        account.received,
        account.loaded,
        account.duplicate,
        account.rejected,
        *(account.by_rule.get(rule, 0) for rule in rules),
        account.recordings,
    ]
