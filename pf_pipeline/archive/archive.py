"""Everything under the data folder that is a file of leads, by name."""

from datetime import date
from pathlib import Path

from pf_pipeline.archive.loaded import LoadedSources
from pf_pipeline.archive.staged import StagedFiles
from pf_pipeline.archive.sweeps import RawLeads
from pf_pipeline.archive.webhook_events import RawWebhookEvents


class Archive:
    """The files of one data folder.

    Attributes:
        raw_leads: Pages exactly as received.
        webhook_events: Webhook deliveries exactly as received.
        observations: What validation let through, by day.
        rejected: What it did not, by day, with reasons.
        assigned: One row a lead, with its agent, by day.
        loaded_leads: Which sources of a day the CRM has the leads of.
        loaded_recordings: Which sources of a day the CRM has the call recordings of.
    """

    def __init__(self, data_dir: Path) -> None:
        self.raw_leads = RawLeads(data_dir)
        self.webhook_events = RawWebhookEvents(data_dir)
        self.observations = StagedFiles(data_dir, "validated_leads", "leads")
        self.rejected = StagedFiles(data_dir, "validated_leads", "rejected")
        self.assigned = StagedFiles(data_dir, "assigned_leads", "leads")
        self.loaded_leads = LoadedSources(data_dir, "crm_leads")
        self.loaded_recordings = LoadedSources(data_dir, "call_recordings")

    def days(self) -> list[date]:
        """All days of which something was received, or asked for, in order."""
        return sorted({*self.raw_leads.days(), *self.webhook_events.days()})

    def sources(self, day: date) -> frozenset[str]:
        """The names of all that was received for a day: finished sweeps, batches of deliveries.

        Raises:
            ValueError: A pack is damaged; names the file.
        """
        return self.raw_leads.sweeps(day) | self.webhook_events.batches(day)

    def loaded(self, day: date, crm: str) -> frozenset[str]:
        """The names of all of a day's sources that a CRM has the leads and the recordings of."""
        leads, recordings = self.loaded_leads.read(day, crm), self.loaded_recordings.read(day, crm)
        return (leads or frozenset()) & (recordings or frozenset())
