"""The Dagster instance of a data folder: made once, whoever comes first."""

import subprocess
import sys
from pathlib import Path

import pytest

from pf_pipeline.orchestration.instance import dagster_home, open_instance, prepare_instance
from pf_pipeline_tests.conftest import PROJECT

OPEN_WHEN_TOLD = """
import sys
from pathlib import Path
from pf_pipeline.orchestration.instance import open_instance

print("ready", flush=True)
sys.stdin.readline()
with open_instance(Path(sys.argv[1])) as instance:
    print(instance.get_runs_count(), flush=True)
"""


def test_processes_that_meet_in_an_empty_folder_all_open_it(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", OPEN_WHEN_TOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert [said for said, _ in ended] == ["0\n"] * 4, [errors for _, errors in ended]


def test_a_prepared_instance_has_its_databases_and_the_settings_of_the_project(
    tmp_path: Path,
) -> None:
    home = prepare_instance(tmp_path)
    assert home == dagster_home(tmp_path) == tmp_path / "dagster"
    assert (home / "dagster.yaml").read_bytes() == (PROJECT / "dagster.yaml").read_bytes()
    assert {path.name for path in home.rglob("*.db")} >= {"runs.db", "index.db", "schedules.db"}


def test_dagster_home_of_the_environment_keeps_its_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with open_instance(tmp_path / "data"):
        pass
    assert not (home / "dagster.yaml").exists()
    assert not (tmp_path / "data").exists()
