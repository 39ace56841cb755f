"""Who is told how a run gets on."""

from datetime import date

from pf_pipeline.portal import LeadsPage


class Watcher:
    """Is told how a pipeline gets on; this one takes no notice. Progress bars override it."""

    def pass_began(self, stored: int) -> None:
        """A pass over the portal begins, or goes on with so many pages stored already."""

    def page_arrived(self, page: LeadsPage) -> None:
        """A page was received, and is about to be stored."""

    def day_finished(self, step: str, day: date) -> None:
        """A step has finished a day."""
