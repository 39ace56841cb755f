"""``pf-pipeline backfill`` against servers that speak the guide's contract, well or badly."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox
from pf_pipeline_tests.commands.conftest import RunCommand, environment_for, run_command
from pf_pipeline_tests.portal.samples import GUIDE_ANSWER, GUIDE_LEAD
from pf_pipeline_tests.portal.scripted import (
    Answer,
    ScriptedPortal,
    html,
    problem,
    raw,
    reply,
    scripted_portal,
)
from pf_pipeline_tests.tables import all_crm_tables, crm_rows

SAMPLE_DAY = ("backfill", "--from", "2025-12-19", "--to", "2025-12-19")
SAMPLE_ROW = [("lead_987654", "A-01", "listing_reference")]
SAMPLE_QUERY = "SELECT lead_id, agent_id, assignment_rule FROM crm.leads"


@pytest.fixture
def portal() -> Iterator[ScriptedPortal]:
    with scripted_portal() as scripted:
        yield scripted


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    return tmp_path / "data" / "crm.duckdb"


def guide_answer(*leads: object) -> dict[str, object]:
    count = len(leads)
    pagination = {"total": count, "count": count, "perPage": 50, "currentPage": 1, "totalPages": 1}
    return {"data": list(leads), "pagination": pagination}


def test_the_guides_sample_response_reaches_the_crm_and_again_changes_nothing(
    run: RunCommand, portal: ScriptedPortal, crm: Path
) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).status == 0
    assert crm_rows(crm, SAMPLE_QUERY) == SAMPLE_ROW
    before = all_crm_tables(crm)
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).status == 0
    assert all_crm_tables(crm) == before


def test_requests_are_those_of_the_guide(run: RunCommand, portal: ScriptedPortal) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url)
    request = portal.requests[-1]
    assert request.path == "/v1/leads"
    assert dict(request.query) == {"since": "2025-12-18T23:59:59Z", "perPage": "50", "page": "1"}
    assert request.headers["Authorization"] == "Bearer sandbox-token"


def test_leads_of_other_days_stay_out_of_the_day(
    run: RunCommand, portal: ScriptedPortal, crm: Path
) -> None:
    others = [
        GUIDE_LEAD | {"id": f"lead_{position}", "createdAt": instant}
        for position, instant in enumerate(
            ("2025-12-20T00:00:00Z", "2025-12-21T10:00:00Z", "2025-12-18T23:59:59Z")
        )
    ]
    portal.plays(reply(guide_answer(*others, GUIDE_LEAD)))
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).status == 0
    assert crm_rows(crm, SAMPLE_QUERY) == SAMPLE_ROW


def test_a_malformed_lead_is_rejected_and_its_neighbour_loads(
    run: RunCommand, portal: ScriptedPortal, crm: Path
) -> None:
    malformed = {"id": "lead_1", "createdAt": "yesterday", "name": "Jane"}
    portal.plays(reply(guide_answer(GUIDE_LEAD, malformed)))
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).status == 0
    assert crm_rows(crm, SAMPLE_QUERY) == SAMPLE_ROW
    ((lead_id, reason, kept),) = crm_rows(
        crm, "SELECT lead_id, reason, raw FROM crm.rejected_leads"
    )
    assert (lead_id, reason) == ("lead_1", "createdAt is not an ISO-8601 instant")
    assert json.loads(str(kept)) == malformed


def test_progress_and_the_account_are_shown(run: RunCommand, portal: ScriptedPortal) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    shown = run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).out
    assert "Reading the portal" in shown
    assert "1/1 pages" in shown
    assert "1 leads" in shown
    assert "2025-12-19        1      1         0        0" in shown


def test_days_without_leads_are_done_too(run: RunCommand, portal: ScriptedPortal) -> None:
    portal.plays(reply(guide_answer()))
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url).status == 0


GARBAGE = [f"garbage {position}" for position in range(50)]
BAD_ANSWERS: dict[str, tuple[Answer, str]] = {
    "a wrong key": (problem(401, "Unauthorized"), "refused the token (HTTP 401)"),
    "a missing scope": (problem(403, "Forbidden"), "leads:read"),
    "an HTML error page": (html(502), "HTTP 502"),
    "an HTML page instead of JSON": (html(200), "HTML"),
    "broken JSON": (raw(b'{"data": [{"id": "lea'), "JSON"),
    "a page without leads": (reply({"message": "hello"}), "data"),
    "a full page of garbage": (reply(guide_answer(GUIDE_LEAD, *GARBAGE)), "50 of 51 records"),
}


@pytest.fixture(scope="module")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds the sample already."""
    folder = tmp_path_factory.mktemp("filled")
    with scripted_portal() as scripted:
        scripted.plays(reply(GUIDE_ANSWER))
        environment = environment_for(folder / "data") | {"PF_API_BASE_URL": scripted.url}
        assert run_command(SAMPLE_DAY, environment, folder).status == 0
    return folder / "data"


@pytest.mark.parametrize("fault", BAD_ANSWERS)
def test_a_bad_answer_is_one_sentence_and_harms_nothing_stored(
    run: RunCommand, portal: ScriptedPortal, crm: Path, filled_folder: Path, fault: str
) -> None:
    shutil.copytree(filled_folder, crm.parent)
    before = all_crm_tables(crm)
    sweeps = [*crm.parent.rglob("manifest.json")]
    answer, said = BAD_ANSWERS[fault]
    portal.plays(answer)
    ended = run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url)
    assert ended.status == 1
    assert said in ended.sentence
    assert all_crm_tables(crm) == before
    assert all(sweep.exists() for sweep in sweeps)


def test_a_portal_that_breaks_down_midway_leaves_no_half_sweep(
    run: RunCommand, portal: ScriptedPortal, crm: Path
) -> None:
    first_of_two = {**GUIDE_ANSWER, "pagination": {"total": 60, "currentPage": 1, "totalPages": 2}}
    portal.plays(reply(GUIDE_ANSWER), reply(first_of_two), problem(403, "Forbidden"))
    ended = run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url)
    assert ended.status == 1
    assert "leads:read" in ended.sentence
    assert [*crm.parent.rglob("manifest.json")] == []


def test_a_dead_portal_is_one_sentence(run: RunCommand) -> None:
    ended = run(*SAMPLE_DAY, PF_API_BASE_URL="http://127.0.0.1:9")
    assert ended.status == 1
    assert "127.0.0.1:9" in ended.sentence


WRONG_SETTINGS = {
    "PF_API_BASE_URL": ("atlas.propertyfinder.com", "PF_API_BASE_URL"),
    "PF_API_DIALECT": ("klingon", "PF_API_DIALECT"),
    "PF_PROPERTIES": ("nowhere.csv", "There is no file nowhere.csv"),
    "PF_AGENTS": ("nowhere.csv", "There is no file nowhere.csv"),
    "PF_REQUESTS_PER_MINUTE": ("many", "PF_REQUESTS_PER_MINUTE"),
    "PF_CRM_URL": ("mysql://localhost/crm", "PF_CRM_URL"),
}


@pytest.mark.parametrize("setting", WRONG_SETTINGS)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    run: RunCommand, portal: ScriptedPortal, setting: str
) -> None:
    value, said = WRONG_SETTINGS[setting]
    portal.plays(reply(GUIDE_ANSWER))
    ended = run(*SAMPLE_DAY, **({"PF_API_BASE_URL": portal.url} | {setting: value}))
    assert ended.status == 2
    assert said in ended.sentence


def test_missing_credentials_are_one_sentence(run: RunCommand, portal: ScriptedPortal) -> None:
    ended = run(*SAMPLE_DAY, PF_API_BASE_URL=portal.url, PF_API_TOKEN="")
    assert ended.status == 2
    assert "PF_API_TOKEN" in ended.sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2025-12-20", "--to", "2025-12-19"), "lies after"),
        (("--from", "2025-12-20", "--to", "2999-01-01"), "in the future"),
        (("--from", "1999-01-01", "--to", "2025-12-19"), "before 2025-01-01"),
        (("--from", "christmas", "--to", "2025-12-19"), "is no day"),
        (("--from", "2025-12-19"), "--to"),
    ],
)
def test_wrong_days_are_wrong_usage(run: RunCommand, arguments: tuple[str, ...], said: str) -> None:
    ended = run("backfill", *arguments, PF_API_BASE_URL="http://127.0.0.1:9")
    assert ended.status == 2
    assert said in ended.error
    assert "Traceback" not in ended.error


@pytest.fixture
def slow_portal() -> Iterator[RunningSandbox]:
    with running_sandbox(SandboxOptions(latency_seconds=0.2)) as slow:
        yield slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_backfill_can_be_run_again(
    run: RunCommand,
    environment: dict[str, str],
    slow_portal: RunningSandbox,
    sandbox: RunningSandbox,
    crm: Path,
    number: signal.Signals,
) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "pf_pipeline.cli", *SAMPLE_DAY],
        env=environment | {"PF_API_BASE_URL": slow_portal.base_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_pages(slow_portal, 5)
    os.kill(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in error
    assert run(*SAMPLE_DAY, PF_API_BASE_URL=sandbox.base_url).status == 0
    assert crm_rows(crm, "SELECT count(*) FROM crm.leads") == [(59,)]


def _wait_for_pages(portal: RunningSandbox, pages: int) -> None:
    deadline = time.monotonic() + 60
    while portal.stats()["leads_pages"] < pages:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_make_believe_people_get_no_real_leads(run: RunCommand) -> None:
    ended = run(*SAMPLE_DAY, PF_API_BASE_URL="https://portal.invalid")
    assert ended.status == 2
    assert "PF_PROPERTIES" in ended.sentence
    assert "make-believe" in ended.sentence


def test_a_data_folder_that_is_a_file_is_one_sentence(run: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "leads.txt"
    file.write_text("no folder")
    ended = run(*SAMPLE_DAY, PF_DATA_DIR=str(file))
    assert ended.status == 2
    assert (
        ended.sentence
        == f"The setting PF_DATA_DIR is wrong: must be a folder, but {file} is a file."
    )
