"""What the receiver loaded, as the Dagster UI shows it: on the day, soon, and not too often."""

import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from pf_pipeline.orchestration import webhook_reports
from pf_pipeline.orchestration.instance import open_instance
from pf_pipeline.orchestration.lead_assets import crm_leads
from pf_pipeline.orchestration.webhook_reports import Reporter
from pf_pipeline.receiver.loading import LoadedBatch

DAY, NEXT_DAY = date(2025, 12, 19), date(2025, 12, 20)
PATIENCE = 60.0


def batch(deliveries: Mapping[date, int], inserted: int = 0, rejected: int = 0) -> LoadedBatch:
    return LoadedBatch(inserted, 0, 0, rejected, sum(deliveries.values()), dict(deliveries))


def reports(data_dir: Path) -> list[tuple[str | None, dict[str, object]]]:
    with open_instance(data_dir) as instance:
        records = instance.fetch_observations(
            dg.AssetRecordsFilter(crm_leads.key), limit=100, ascending=True
        ).records
    observations = [record.asset_observation for record in records]
    return [
        (seen.partition, {name: value.value for name, value in seen.metadata.items()})
        for seen in observations
        if seen is not None
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_batch_is_shown_on_the_day_of_its_arrival(home: Path) -> None:
    reporter = Reporter(home)
    reporter.start()
    reporter.note(batch({DAY: 1, NEXT_DAY: 2}, inserted=2, rejected=1))
    assert reporter.stop(PATIENCE)
    nothing_else = {"leads_new": 2, "leads_changed": 0, "rejected": 1}
    assert reports(home) == [
        (DAY.isoformat(), {"deliveries": 1}),
        (NEXT_DAY.isoformat(), {"deliveries": 2} | nothing_else),
    ]


def test_many_batches_are_few_reports_and_none_is_left_out(home: Path) -> None:
    reporter = Reporter(home)
    reporter.start()
    for _ in range(200):
        reporter.note(batch({DAY: 5}, inserted=3))
        time.sleep(0.002)
    assert reporter.stop(PATIENCE)
    shown = [counts for _, counts in reports(home)]
    assert 1 <= len(shown) <= 2
    assert sum(int(str(counts["deliveries"])) for counts in shown) == 1_000
    assert sum(int(str(counts["leads_new"])) for counts in shown) == 600


def test_nothing_is_reported_where_nothing_came(home: Path) -> None:
    reporter = Reporter(home)
    reporter.start()
    assert reporter.stop(PATIENCE)
    assert reports(home) == []


def test_a_report_that_fails_is_part_of_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = dg.DagsterInstance.report_runless_asset_event
    failing = [True]

    def sometimes(instance: dg.DagsterInstance, event: dg.AssetObservation) -> None:
        if failing.pop() if failing else False:
            raise RuntimeError("database is locked")
        report(instance, event)

    monkeypatch.setattr(dg.DagsterInstance, "report_runless_asset_event", sometimes)
    reporter = Reporter(home, seconds_between=0.01)
    reporter.start()
    reporter.note(batch({DAY: 1}, inserted=1))
    deadline = time.monotonic() + PATIENCE
    while not reporter.failed and time.monotonic() < deadline:
        time.sleep(0.01)
    reporter.note(batch({DAY: 1}, inserted=1))
    assert reporter.stop(PATIENCE)
    assert (reporter.failed, reporter.reported) == (1, 1)
    ((_, counts),) = reports(home)
    assert (counts["deliveries"], counts["leads_new"]) == (2, 2)


def test_a_dagster_that_cannot_be_opened_ends_no_receiver(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_data_dir: Path) -> object:
        raise OSError("no such disk")

    monkeypatch.setattr(webhook_reports, "open_instance", broken)
    reporter = Reporter(home)
    reporter.start()
    reporter.note(batch({DAY: 1}))
    assert reporter.stop(PATIENCE)
    assert "not shown in the Dagster UI" in caplog.text
