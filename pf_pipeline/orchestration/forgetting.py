"""Removes a run from Dagster, with the files that Dagster itself would leave behind."""

from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager


def forget_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove a run that has ended.

    Dagster removes its rows. In a local instance each run also has a database of its own, which
    would stay with empty tables, and a folder of what it printed: some 0.14 MB.
    """
    instance.delete_run(run_id)
    events = instance.event_log_storage
    if isinstance(events, SqliteEventLogStorage):
        # After the rows: removing rows would make the file anew.
        for suffix in ("", "-wal", "-shm"):
            Path(f"{events.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)
    if isinstance(instance.compute_log_manager, LocalComputeLogManager):
        instance.compute_log_manager.delete_logs(prefix=[run_id])
