"""Asking the portal for days, and keeping whatever it says: from the portal into the archive.

A sweep is complete, or it says that it is not. No Dagster here, and no look into what a lead is.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from pf_pipeline.archive import Archive, LeadsPass, Manifest, Window
from pf_pipeline.archive.windows import window_of_day
from pf_pipeline.orchestration.origin import note_origin
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline.portal import LeadsPage, PortalClient, clamped_start
from pf_pipeline.settings import Settings

ALIGNED_TO = timedelta(hours=1)
"""A poll's lower bound is rounded down to this, so that the same leads make the same page: a portal
in which nothing happened then answers byte for byte as before, and nothing is stored."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweeper:
    """Sweeps days of one portal into one archive.

    Attributes:
        settings: Which portal, and how it is asked.
        archive: Where the pages go.
        connect: Opens a client of the portal.
        now: The clock; gives aware UTC.
        watcher: Told of every page.
    """

    settings: Settings
    archive: Archive
    connect: Callable[[], AbstractContextManager[PortalClient]]
    now: Callable[[], datetime]
    watcher: Watcher

    def sweep(self, days: Sequence[date], *, overlap_only: bool = False) -> list[Manifest]:
        """Ask for days.

        Where the portal takes an upper bound (atlas) each day is a pass of its own, which makes
        its own count comparable; where it does not (guide) every pass reads to the present, and so
        a single one serves all days.

        Args:
            days: UTC days, in any order; today is read up to now.
            overlap_only: Begin where complete sweeps of the day end, less the overlap, instead of
                at the day's start. A day of which something is missing is read from there.
        """
        wanted = sorted(set(days))
        passes = [wanted] if self.settings.api_dialect == "guide" else [[day] for day in wanted]
        with self.connect() as portal:
            return [
                manifest
                for together in passes
                if together
                for manifest in self._sweep_together(portal, together, overlap_only=overlap_only)
            ]

    def sweep_leads(self, leads: pd.DataFrame) -> list[Manifest]:
        """Ask for single leads by id, wherever the portal can be asked so (atlas).

        Args:
            leads: ``day`` (a date) and ``lead_id``.
        """
        if leads.empty or self.settings.api_dialect == "guide":
            return []
        days = sorted(set(leads["day"]))
        window = Window(window_of_day(days[0]).start, window_of_day(days[-1]).end)
        with self.connect() as portal, self._open_pass(days, window, by_id=True) as leads_pass:
            self.watcher.pass_began(len(leads_pass.known))
            pages_read = len(leads_pass.known)
            for page in portal.walk_ids(leads["lead_id"]):
                self._keep(page, leads_pass)
                pages_read += 1
            return leads_pass.finish(
                complete=True, distinct=None, total=None, rounds=1, pages_read=pages_read
            )

    def _sweep_together(
        self, portal: PortalClient, days: list[date], *, overlap_only: bool
    ) -> Iterator[Manifest]:
        """One pass for days, and further ones for what the pinned end of a resumed one leaves."""
        wanted = self._window(days, overlap_only=overlap_only)
        window: Window | None = self._within_horizon(days, wanted)
        while window is not None and not window.is_empty:
            with self._open_pass(days, window) as leads_pass:
                yield from self._walk(portal, leads_pass)
                window = leads_pass.beyond

    def _window(self, days: list[date], *, overlap_only: bool) -> Window:
        start = (
            min(map(self._overlap_start, days)) if overlap_only else window_of_day(days[0]).start
        )
        return Window(start, min(window_of_day(days[-1]).end, self.now()))

    def _overlap_start(self, day: date) -> datetime:
        """Where a poll begins: a day that has a gap is read from there, whatever came after it."""
        whole = window_of_day(day)
        covered = self.archive.raw_leads.covered(day)
        if not covered or covered[0].start > whole.start:
            return whole.start
        reached = covered[0].end - timedelta(minutes=self.settings.overlap_minutes)
        return max(whole.start, reached - (reached - whole.start) % ALIGNED_TO)

    def _within_horizon(self, days: list[date], wanted: Window) -> Window:
        start = clamped_start(self.settings.api_dialect, wanted.start, self.now())
        if start > wanted.start:
            lost = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
            logger.warning(
                "The portal keeps three months: of %s it was not asked for what lies before %s; "
                "what the archive has of it stays.",
                lost,
                start.strftime("%Y-%m-%d %H:%M UTC"),
            )
        return Window(start, wanted.end)

    def _open_pass(self, days: list[date], window: Window, *, by_id: bool = False) -> LeadsPass:
        return self.archive.raw_leads.open_pass(
            days,
            window,
            base_url=self.settings.api_base_url,
            dialect=self.settings.api_dialect,
            now=self.now,
            asked_for="ids" if by_id else "window",
        )

    def _walk(self, portal: PortalClient, leads_pass: LeadsPass) -> list[Manifest]:
        if leads_pass.resumed:
            logger.warning(
                "A sweep that was interrupted goes on: %d pages are stored already.",
                len(leads_pass.known),
            )
        self.watcher.pass_began(len(leads_pass.known))
        window = leads_pass.window
        walk = portal.walk(window.start, window.end, known=leads_pass.known)
        for page in self._in_one_dialect(walk):
            self._keep(page, leads_pass)
        seen = walk.outcome
        if not seen.complete:
            logger.warning(
                "The sweep from %s is not complete: the portal counts %s leads, and gave %d.",
                window.start.strftime("%Y-%m-%d %H:%M UTC"),
                seen.total,
                seen.distinct,
            )
        manifests = leads_pass.finish(
            complete=seen.complete,
            distinct=seen.distinct,
            total=seen.total,
            rounds=seen.rounds,
            pages_read=seen.pages_read + len(leads_pass.known),
        )
        for manifest in manifests:
            self._pack_if_crowded(manifest.day)
        return manifests

    def _pack_if_crowded(self, day: date) -> None:
        """A day that is polled all the time stays a few files while it lasts, too."""
        try:
            if self.archive.raw_leads.is_crowded(day):
                self.archive.raw_leads.pack(day)
        except ValueError as error:  # the sweep is stored: a damaged page of an earlier one is no
            logger.warning("%s The day is not packed.", error)  # reason to fail it

    def _keep(self, page: LeadsPage, leads_pass: LeadsPass) -> None:
        note_origin(self.settings)
        self.watcher.page_arrived(page)
        leads_pass.store(page)

    def _in_one_dialect(self, pages: Iterable[LeadsPage]) -> Iterator[LeadsPage]:
        """The pages, and a word once if they come in the other dialect than was asked for."""
        told = False
        for page in pages:
            answered = page.pagination.dialect
            if answered not in (None, self.settings.api_dialect) and not told:
                told = True
                logger.warning(
                    "The portal answers in the %s dialect, but PF_API_DIALECT is %s: no lead is "
                    "lost, but set it to %s.",
                    answered,
                    self.settings.api_dialect,
                    answered,
                )
            yield page
