"""``pf-pipeline rebuild``: make the CRM anew from the raw archive and the reference data."""

from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.rebuilding import Rebuilt, rebuild
from pf_pipeline.settings import Settings


def run_rebuild(
    settings: Settings, console: Console, *, dry_run: bool, assign_anew: bool
) -> Rebuilt:
    """Rebuild with progress, and print how the new CRM differs from the old one.

    Raises:
        RebuildError: Another rebuild is at work, or something cannot be kept.
        CrmError: The CRM is busy for too long.
        ReferenceDataError: The properties or agents cannot be read.
        SettingsError: A setting is wrong.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Days", total=None)

        def on_day(_day: date, days: int) -> None:
            progress.update(task, total=days, advance=1)

        rebuilt = rebuild(
            Pipeline(settings), dry_run=dry_run, assign_anew=assign_anew, on_day=on_day
        )
    for line in _words(rebuilt):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if rebuilt.differences:
        console.print(_table(rebuilt))
    return rebuilt


def _words(rebuilt: Rebuilt) -> list[str]:
    words = [f"The new CRM has {rebuilt.leads:,} leads."]
    if rebuilt.damage:
        words = [f"{rebuilt.damage} Nothing could be carried over from it.", *words]
    elif not rebuilt.differences:
        words = ["There was no CRM: nothing could be carried over.", *words]
    if rebuilt.carried:
        words.append(
            f"{rebuilt.carried:,} of them keep the decision of the old one on their agent."
        )
    if rebuilt.put_aside:
        words.append(f"The damaged one is {rebuilt.put_aside} now.")
    words.append(
        "It has taken the old one's place." if rebuilt.in_place else "The old one was kept."
    )
    return words


def _table(rebuilt: Rebuilt) -> Table:
    table = Table(title="The new CRM beside the old one, in rows", title_justify="left")
    table.add_column("table")
    for heading in ("before", "after", "only before", "only after", "changed"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for found in rebuilt.differences:
        numbers = (found.before, found.after, found.removed, found.added, found.changed)
        verdict = "equal" if found.is_equal else "differs"
        table.add_row(found.table, *(f"{number:,}" for number in numbers), verdict)
    return table
