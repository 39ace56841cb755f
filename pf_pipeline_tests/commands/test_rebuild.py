"""``pf-pipeline rebuild``: says what differs; killed at any instant, the CRM is whole."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.commands.conftest import RunCommand
from pf_pipeline_tests.tables import all_crm_tables, crm_rows

KILLS = 6


@pytest.fixture
def crm(run: RunCommand, sandbox: RunningSandbox, tmp_path: Path) -> Path:
    """A CRM of a day, in the commands' data folder."""
    ended = run(
        "backfill", "--from", "2025-12-19", "--to", "2025-12-19", PF_API_BASE_URL=sandbox.base_url
    )
    assert ended.status == 0, ended.error
    return tmp_path / "data" / "crm.duckdb"


def test_it_says_what_differs_and_replaces_the_crm(
    run: RunCommand, sandbox: RunningSandbox, crm: Path
) -> None:
    before, file = all_crm_tables(crm), crm.stat().st_ino
    ended = run("rebuild", "--dry-run", PF_API_BASE_URL=sandbox.base_url)
    assert (ended.status, ended.error) == (0, "")
    assert "The old one was kept." in ended.out
    assert ended.out.count("equal") == 10
    assert crm.stat().st_ino == file
    ended = run("rebuild", PF_API_BASE_URL=sandbox.base_url)
    assert (ended.status, ended.error) == (0, "")
    assert "The new CRM has 59 leads." in ended.out
    assert crm.stat().st_ino != file
    assert all_crm_tables(crm) == before
    assert "John Doe" not in ended.out


def test_what_is_damaged_ends_it_with_one_sentence(
    run: RunCommand, sandbox: RunningSandbox, crm: Path
) -> None:
    page = next((crm.parent / "raw" / "leads").rglob("page-*.json.gz"))
    page.write_bytes(b"damaged")
    ended = run("rebuild", PF_API_BASE_URL=sandbox.base_url)
    assert ended.status == 1
    assert page.name in ended.sentence


def test_without_an_archive_it_makes_an_empty_crm(
    run: RunCommand, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    ended = run("rebuild", PF_API_BASE_URL=sandbox.base_url)
    assert (ended.status, ended.error) == (0, "")
    assert "The new CRM has 0 leads." in ended.out
    assert crm_rows(tmp_path / "data" / "crm.duckdb", "SELECT * FROM crm.leads") == []


def test_killed_at_any_instant_the_crm_is_whole(
    environment: dict[str, str], run: RunCommand, sandbox: RunningSandbox, crm: Path
) -> None:
    before = all_crm_tables(crm)
    settings = environment | {"PF_API_BASE_URL": sandbox.base_url}
    command = [sys.executable, "-m", "pf_pipeline.cli", "rebuild"]
    chance = random.Random(7)  # noqa: S311 - chooses instants
    whole, midway = 60.0, 0
    for _ in range(6 * KILLS):
        if midway == KILLS:
            break
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=settings,
            cwd=crm.parent.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert process.wait(whole * chance.uniform(0.5, 1.0)) == 0
            whole = time.monotonic() - started  # on a machine that has other work at times
        except subprocess.TimeoutExpired:
            midway += 1
            process.kill()
            process.wait()
        assert all_crm_tables(crm) == before
    assert midway == KILLS
    assert run("rebuild", PF_API_BASE_URL=sandbox.base_url).status == 0
    assert all_crm_tables(crm) == before
    assert [path for path in crm.parent.iterdir() if path.name.startswith(".rebuild-")] == []
