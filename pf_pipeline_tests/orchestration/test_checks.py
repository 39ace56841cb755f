"""What the checks find in files that are not what they should be."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pandas as pd
import pytest

from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline_tests.conftest import PipelineFactory
from pf_pipeline_tests.orchestration.conftest import RunJob

FIRST, MIDDLE, LAST = date(2025, 12, 17), date(2025, 12, 18), date(2025, 12, 19)

Damage = Callable[[pd.DataFrame], pd.DataFrame]


class _Damaging(Watcher):
    """Changes a day's staged leads once they are validated, as a person or an older version may."""

    def __init__(self, pipeline: Pipeline, damage: Damage) -> None:
        self._staged, self._damage = pipeline.archive.observations, damage

    def day_finished(self, step: str, day: date) -> None:
        if (step, day) == ("validated", MIDDLE):
            self._staged.write(day, self._damage(self._staged.read(day)))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda frame: frame.drop(columns="extra"), id="a column is missing"),
        pytest.param(lambda frame: frame[frame.columns[::-1]], id="other order"),
        pytest.param(lambda frame: frame.assign(talk_seconds=-1), id="a rule is broken"),
        pytest.param(lambda frame: frame.assign(score=1), id="a column too many"),
    ],
)
def test_the_schema_check_names_the_day_whose_staged_file_is_no_longer_what_was_validated(
    make_pipeline: PipelineFactory, run_job: RunJob, damage: Damage
) -> None:
    pipeline = make_pipeline()
    damaging = Pipeline(pipeline.settings, pipeline.now, _Damaging(pipeline, damage))
    result = run_job(damaging, FIRST, LAST)
    assert not result.success
    (found,) = [
        evaluation
        for evaluation in result.get_asset_check_evaluations()
        if evaluation.check_name == "schema"
    ]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert (found.description or "").startswith(f"{MIDDLE}: the staged file breaks the schema")
    assert f"{FIRST}" not in (found.description or "")
    assert not pipeline.archive.assigned.path(FIRST).exists()
