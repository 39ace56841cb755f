"""Progress bars for long work: pages and leads as they arrive, then days as they are worked on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline.portal import LeadsPage


class _LeadsColumn(ProgressColumn):
    """How many leads have arrived, and how fast."""

    def render(self, task: Task) -> Text:
        leads = task.fields.get("leads")
        if leads is None:
            return Text("")
        elapsed = task.finished_time or task.elapsed or 0.0
        rate = f", {leads / elapsed:,.0f}/s" if elapsed > 0 else ""
        return Text(f"{leads:,} leads{rate}")


class _Notes(logging.Handler):
    """Prints what the rooms log above the progress bars."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print("[yellow]Note:[/]", end=" ")
        self._console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def notes_on(console: Console) -> Iterator[None]:
    """Show retries and the like while they happen, without tearing the bars."""
    logger, handler = logging.getLogger("pf_pipeline"), _Notes(console)
    logger.addHandler(handler)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


class ProgressBars(Watcher):
    """Shows a sweep page by page, and the later steps day by day.

    Args:
        console: Where to draw; nothing is drawn where it is no terminal, but one line a step.
        passes: How many passes over the portal the sweep makes.
        days: How many days are worked on.
    """

    def __init__(self, console: Console, *, passes: int, days: int) -> None:
        self._console = console
        self._passes, self._days = passes, days
        self._passes_begun = 0
        self._pages_before_pass = 0
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            _LeadsColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
        )
        self._sweep = self._progress.add_task(
            "Reading the portal", total=None, unit="pages", leads=0
        )
        self._steps = {
            step: self._progress.add_task(label, total=days, unit="days", visible=False)
            for step, label in (
                ("validated", "Validating"),
                ("assigned", "Assigning"),
                ("loaded", "Loading into the CRM"),
            )
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def pass_began(self, stored: int) -> None:
        """Begin to count the pages of a pass; those that are stored count at once."""
        self._passes_begun += 1
        self._pages_before_pass = int(self._progress.tasks[self._sweep].completed)
        self._progress.update(self._sweep, advance=stored)

    def page_arrived(self, page: LeadsPage) -> None:
        """Count the page, and guess the total from the pages of this pass and those to come."""
        task = self._progress.tasks[self._sweep]
        read = int(task.completed) + 1 - self._pages_before_pass
        in_this_pass = max(page.pagination.total_pages or 0, read)
        to_come = max(0, self._passes - self._passes_begun) * in_this_pass
        self._progress.update(
            self._sweep,
            advance=1,
            total=self._pages_before_pass + in_this_pass + to_come,
            leads=task.fields["leads"] + len(page.records),
        )

    def day_finished(self, step: str, day: date) -> None:  # noqa: ARG002 - days are counted
        """Count the day; the sweep is over once any later step has begun."""
        sweep = self._progress.tasks[self._sweep]
        if not sweep.finished:
            pages = max(sweep.completed, 1)
            self._progress.update(self._sweep, total=pages, completed=pages)
        self._progress.update(self._steps[step], advance=1, visible=True)
