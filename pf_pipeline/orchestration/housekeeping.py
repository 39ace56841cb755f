"""What keeps archive and history small, however often the portal is polled."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.forgetting import forget_run
from pf_pipeline.orchestration.jobs import AWAITED, POLL
from pf_pipeline.orchestration.pipeline import Pipeline

RUNS_KEPT = timedelta(days=7)
"""How long the history of frequent runs stays in Dagster; that of nightly runs stays for ever."""
FREQUENT = {"pf/trigger": [POLL["pf/trigger"], AWAITED["pf/trigger"]]}
HOUSEKEEPING = "housekeeping_job"
RUNS_AT_ONCE = 100


def old_runs(instance: dg.DagsterInstance, now: datetime) -> Iterator[str]:
    """The ids of frequent runs that ended so long ago that nobody looks at them any more.

    They come in batches: whoever takes them removes them before asking on.
    """
    for frequent in ({"tags": FREQUENT}, {"job_name": HOUSEKEEPING}):
        ended = dg.RunsFilter(
            **frequent, statuses=FINISHED_STATUSES, updated_before=now - RUNS_KEPT
        )
        while records := instance.get_run_records(ended, limit=RUNS_AT_ONCE):
            yield from (record.dagster_run.run_id for record in records)


@dg.op(description="Packs the days of the raw archive that no sweep touches any more.")
def pack_archive(
    context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.Output[None]:
    """Pack the archive, and say what that saved."""
    with failing_clearly():
        packed = pipeline.pack_archive()
    for day, saved in packed.items():
        context.log.info(
            "%s: %d files of %d bytes became %d of %d.",
            day,
            saved.files_before,
            saved.bytes_before,
            saved.files_after,
            saved.bytes_after,
        )
    return dg.Output(
        None,
        metadata={
            "days_packed": len(packed),
            "files_before": sum(saved.files_before for saved in packed.values()),
            "files_after": sum(saved.files_after for saved in packed.values()),
            "bytes_before": sum(saved.bytes_before for saved in packed.values()),
            "bytes_after": sum(saved.bytes_after for saved in packed.values()),
        },
    )


@dg.op(
    description="Removes polls, questions for recordings and housekeepings of more than a week ago "
    "from Dagster's history of runs."
)
def forget_old_runs(
    context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.Output[None]:
    """Remove what nobody looks at: 288 polls a day, and 48 other runs, would fill the disk."""
    forgotten = 0
    for run_id in old_runs(context.instance, pipeline.now()):
        forget_run(context.instance, run_id)
        forgotten += 1
    return dg.Output(None, metadata={"runs_forgotten": forgotten})


@dg.op(
    description="Removes deliveries from the receiver's inbox that the archive has had for long."
)
def forget_old_deliveries(pipeline: dg.ResourceParam[Pipeline]) -> dg.Output[None]:
    """Keep the inbox small, and its personal data in one place."""
    with failing_clearly():
        forgotten = pipeline.forget_deliveries()
    return dg.Output(None, metadata={"deliveries_forgotten": forgotten})


@dg.job(
    name=HOUSEKEEPING,
    description="Packs the raw archive and forgets old runs. Safe at any time, beside everything.",
    executor_def=dg.in_process_executor,
)
def housekeeping_job() -> None:
    """Keep archive and history small."""
    pack_archive()
    forget_old_runs()
    forget_old_deliveries()


@dg.schedule(
    job=housekeeping_job,
    cron_schedule="50 * * * *",
    execution_timezone="UTC",
    description="Packs days of the raw archive that no sweep touches any more, and forgets polls, "
    "questions for recordings and housekeepings of more than a week ago.",
)
def housekeeping_schedule() -> dict[str, Any]:
    """Once an hour, which finds nothing to do but once a day."""
    return {}
