"""Runs of the leads job in this process, against the sandbox."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import dagster as dg
import pytest

from pf_pipeline.orchestration.backfill import QUIET
from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.jobs import leads_job
from pf_pipeline.orchestration.partitions import range_tags
from pf_pipeline.orchestration.pipeline import Pipeline

RunJob = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def run_job(instance: dg.DagsterInstance) -> RunJob:
    """Materialize everything for one day, or for a range of days in one run."""

    def run(
        pipeline: Pipeline,
        first: date,
        last: date | None = None,
        run_config: Mapping[str, object] | None = None,
        asset_selection: Sequence[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        job = build_definitions({"pipeline": pipeline}).resolve_job_def(leads_job.name)
        return job.execute_in_process(
            instance=instance,
            partition_key=first.isoformat() if last is None else None,
            tags=None if last is None else range_tags(first, last),
            run_config={**QUIET, **(run_config or {})},
            asset_selection=asset_selection,
            raise_on_error=False,
        )

    return run


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """What each check of a run found, by its name."""
    return {found.check_name: found for found in result.get_asset_check_evaluations()}
