"""Two runs on one day at once: neither finds fault with what the other is just doing."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import duckdb
import pytest

from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.unloaded_days import days_behind
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob, check_results
from pf_pipeline_tests.tables import all_crm_tables

DAY = date(2025, 12, 19)
MORNING, EVENING = datetime(2025, 12, 19, 10, tzinfo=UTC), datetime(2025, 12, 19, 22, tzinfo=UTC)

STEPS: list[Callable[[Pipeline], object]] = [
    lambda pipeline: pipeline.sweep([DAY]),
    lambda pipeline: pipeline.validate(DAY),
    lambda pipeline: pipeline.assign([DAY]),
    lambda pipeline: pipeline.load([DAY]),
    lambda pipeline: pipeline.load_recordings([DAY]),
]
"""The way of a lead; a run may be at any of them."""


class _AnotherRun(Watcher):
    """Takes some steps of another run, hours later, once this one has taken a certain step."""

    def __init__(self, other: Pipeline, after: str, steps: int) -> None:
        self._other, self._after, self._steps = other, after, steps

    def day_finished(self, step: str, day: date) -> None:
        if (step, day) == (self._after, DAY):
            for take in STEPS[: self._steps]:
                take(self._other)


def behind(pipeline: Pipeline) -> set[date]:
    loaded = pipeline.archive.loaded(DAY, pipeline.crm_name)
    return days_behind({DAY: pipeline.archive.sources(DAY)}, {DAY: loaded})


@pytest.mark.parametrize("after", ["validated", "assigned", "loaded"])
@pytest.mark.parametrize("steps", [1, 2, len(STEPS)])
def test_no_check_fails_and_what_is_not_loaded_is_known_to_be_behind(
    make_pipeline: PipelineFactory, run_job: RunJob, after: str, steps: int
) -> None:
    pipeline = make_pipeline(now=MORNING, api_dialect="atlas")
    other = Pipeline(pipeline.settings, now=lambda: EVENING)
    both = Pipeline(pipeline.settings, pipeline.now, _AnotherRun(other, after, steps))
    result = run_job(both, DAY)
    failed = [name for name, found in check_results(result).items() if not found.passed]
    assert (result.success, failed) == (True, [])

    # The day is behind, unless one of the two has loaded all: then the CRM has it.
    crm = pipeline.settings.data_dir / "crm.duckdb"
    is_behind, before = behind(other), all_crm_tables(crm)
    for take in STEPS[1:]:
        take(other)
    assert behind(other) == set()
    assert is_behind == {DAY} or all_crm_tables(crm) == before
    assert is_behind == {DAY} or steps > 1
    (account,) = other.account([DAY])
    assert (account.settled, account.agrees) == (True, True)


def test_recordings_of_leads_that_another_run_has_only_staged_do_not_count_as_loaded(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline(now=MORNING, api_dialect="atlas")
    other = Pipeline(pipeline.settings, now=lambda: EVENING)
    pipeline.refresh_properties()
    for take in STEPS[:4]:
        take(pipeline)
    morning = pipeline.archive.sources(DAY)
    for take in STEPS[:2]:
        take(other)
    pipeline.load_recordings([DAY])
    assert pipeline.archive.loaded_recordings.read(DAY, pipeline.crm_name) == morning
    other.load([DAY])
    assert behind(other) == {DAY}


def test_an_older_load_that_comes_last_leaves_the_day_behind(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline(now=MORNING, api_dialect="atlas")
    other = Pipeline(pipeline.settings, now=lambda: EVENING)
    pipeline.refresh_properties()
    for take in STEPS[:2]:
        take(pipeline)
    staged = (pipeline.archive.observations, pipeline.archive.rejected)
    older = [files.path(DAY).read_bytes() for files in staged]
    for take in STEPS:
        take(other)
    assert behind(other) == set()
    for files, content in zip(staged, older, strict=True):  # as this run has read them before
        files.path(DAY).write_bytes(content)
    pipeline.load([DAY])
    assert behind(other) == {DAY}


def test_an_account_that_does_not_agree_is_told_once_the_day_is_settled(
    make_pipeline: PipelineFactory,
) -> None:
    pipeline = make_pipeline()
    pipeline.refresh_properties()
    for take in STEPS:
        take(pipeline)
    with duckdb.connect(str(pipeline.settings.data_dir / "crm.duckdb")) as connection:
        connection.execute("DELETE FROM crm.leads WHERE lead_id = 'lead_987654'")
    (account,) = pipeline.account([DAY])
    assert account.settled
    assert not account.agrees
