"""``pf-pipeline demo``, ``doctor``, ``sandbox`` and the help."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.commands.conftest import RunCommand
from pf_pipeline_tests.tables import all_crm_tables


def test_the_demo_accounts_for_every_record_and_says_what_to_do_next(
    run: RunCommand, tmp_path: Path
) -> None:
    ended = run("demo")
    assert ended.status == 0, ended.error
    assert "Reading the portal" in ended.out
    sums = next(line for line in ended.out.splitlines() if line.strip().startswith("sum"))
    received, loaded, duplicate, rejected, *rules, recordings = map(int, sums.split()[1:])
    assert received == loaded + duplicate + rejected == 420
    assert loaded == sum(rules)
    assert 0 < recordings < loaded
    assert rejected > 0
    assert "make ui" in ended.out
    before = all_crm_tables(tmp_path / "data" / "crm.duckdb")
    assert run("demo").status == 0
    assert all_crm_tables(tmp_path / "data" / "crm.duckdb") == before


def test_the_demo_keeps_out_of_a_folder_with_real_leads(run: RunCommand, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "portal_address.txt").write_text("https://atlas.propertyfinder.com\n")
    ended = run("demo")
    assert ended.status == 2
    assert "PF_DATA_DIR" in ended.sentence


def test_the_real_portal_is_kept_out_of_a_folder_with_make_believe_leads(
    run: RunCommand, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "portal_address.txt").write_text("http://127.0.0.1:8640\n")
    ended = run("backfill", "--from", "2025-12-19", "--to", "2025-12-19")
    assert ended.status == 2
    assert "make-believe" in ended.sentence


def test_doctor_finds_everything_well(run: RunCommand, sandbox: RunningSandbox) -> None:
    ended = run("doctor", PF_API_BASE_URL=sandbox.base_url)
    assert ended.status == 0, ended.out
    marks = [line.split()[0] for line in ended.out.strip().splitlines()]
    assert marks == ["ok"] * 7 + ["note"]
    assert "nobody is subscribed" in ended.out
    assert "dialect guide" in ended.out


def test_doctor_mints_a_token_from_key_and_secret(run: RunCommand, sandbox: RunningSandbox) -> None:
    ended = run(
        "doctor",
        PF_API_BASE_URL=sandbox.base_url,
        PF_API_TOKEN="",
        PF_API_KEY="sandbox-key",
        PF_API_SECRET="wrong",
    )
    assert ended.status == 1
    problems = [line for line in ended.out.splitlines() if line.startswith("problem")]
    assert [line.split()[1] for line in problems] == ["token", "portal"]
    assert "wrong" not in ended.out.replace("is wrong", "")


def test_doctor_changes_nothing(run: RunCommand, sandbox: RunningSandbox, tmp_path: Path) -> None:
    run("doctor", PF_API_BASE_URL=sandbox.base_url)
    assert [*(tmp_path / "data").iterdir()] == []


def test_doctor_names_every_problem_on_a_line_of_its_own(run: RunCommand) -> None:
    ended = run("doctor", PF_API_BASE_URL="http://127.0.0.1:9", PF_AGENTS="nowhere.csv")
    assert ended.status == 1
    problems = [line.split()[1] for line in ended.out.splitlines() if line.startswith("problem")]
    assert problems == ["agents", "portal"]
    assert "Traceback" not in ended.out + ended.error


def test_doctor_stops_at_wrong_settings(run: RunCommand) -> None:
    ended = run("doctor", PF_OVERLAP_MINUTES="soon")
    assert ended.status == 1
    assert "PF_OVERLAP_MINUTES" in ended.out


@pytest.mark.parametrize("command", ["demo", "backfill", "doctor", "sandbox", "subscribe", "ui"])
def test_every_command_explains_itself(run: RunCommand, command: str) -> None:
    ended = run(command, "--help")
    assert ended.status == 0
    assert "Usage" in ended.out


def test_without_a_command_the_help_is_shown(run: RunCommand) -> None:
    ended = run()
    assert "backfill" in ended.out + ended.error
    assert ended.status in {0, 2}


def test_an_unknown_command_is_wrong_usage(run: RunCommand) -> None:
    assert run("frobnicate").status == 2


def test_the_sandbox_serves_until_it_is_ended(environment: dict[str, str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "pf_pipeline.cli", "sandbox", "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        health = requests.get(f"http://127.0.0.1:{port}/sandbox/health", timeout=10)
        assert health.json() == {"status": "ok"}
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_taken_port_is_one_sentence(run: RunCommand) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("sandbox", "--port", str(taken.getsockname()[1]))
    assert ended.status == 1
    assert "cannot listen" in ended.sentence
