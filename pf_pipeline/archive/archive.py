"""Everything under the data folder that is a file of leads, by name."""

from pathlib import Path

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
    """

    def __init__(self, data_dir: Path) -> None:
        self.raw_leads = RawLeads(data_dir)
        self.webhook_events = RawWebhookEvents(data_dir)
        self.observations = StagedFiles(data_dir, "validated_leads", "leads")
        self.rejected = StagedFiles(data_dir, "validated_leads", "rejected")
        self.assigned = StagedFiles(data_dir, "assigned_leads", "leads")
