"""Every notebook runs to its end without a warning or a network, and begins with an answer."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pytest

from notebooks.__main__ import environment_for
from notebooks.filling import FOLDER, SCRIPTS, executed
from pf_pipeline.settings import load_settings
from pf_pipeline_tests.crm.builders import CrmFile, guide_lead, lead, seen
from pf_pipeline_tests.notebooks.shutting_off import NO_PROXY_LEADS_OUT, SHUT_OFF

CHARTS = {
    "01_overview": 6,
    "02_response_times": 5,
    "03_agents_and_calls": 3,
    "04_data_quality": 1,
    "05_ask_your_own": 0,
}
SHOWS_WHAT_IS_ASKED_FOR = {"05_ask_your_own"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_notebook_runs_shut_off_and_answers_first(script: Path, demo_crm: Path) -> None:
    environment = environment_for(load_settings(_env_file=None), demo_crm)
    notebook = executed(script, environment | NO_PROXY_LEADS_OUT, first=SHUT_OFF)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert (
        len([output for output in outputs if "image/png" in output.get("data", {})])
        == (CHARTS[script.stem])
    )
    assert not [output for output in outputs if "Nothing to show" in str(output)]
    question, answer = notebook.cells[0].source, first_answer(notebook)
    assert question.splitlines()[0].endswith("?")
    assert answer
    assert notebook.cells[-1].source.startswith("## What to do")
    if script.stem not in SHOWS_WHAT_IS_ASKED_FOR:
        assert "**" in answer
        shown = str([output for output in outputs if "image/png" not in output.get("data", {})])
        assert [value for value in clients_of(demo_crm) if value in shown] == []


def first_answer(notebook: nbformat.NotebookNode) -> str:
    """What the first cells show, before anybody scrolls."""
    shown: list[dict[str, Any]] = [
        output.get("data", {}) for cell in notebook.cells[:5] for output in cell.get("outputs", [])
    ]
    return " ".join(data.get("text/markdown") or data.get("text/plain", "") for data in shown)


def clients_of(crm: Path) -> set[str]:
    with duckdb.connect(str(crm), read_only=True) as connection:
        rows = connection.execute(
            "SELECT unnest([name, email, phone, phone_e164, whatsapp_username]) FROM crm.leads"
        ).fetchall()
    return {value for (value,) in rows if value}


def test_every_notebook_is_tried() -> None:
    assert {script.stem for script in SCRIPTS} == CHARTS.keys()
    assert {path.stem for path in FOLDER.glob("[0-9]*")} == CHARTS.keys()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
@pytest.mark.parametrize("records", [(), (guide_lead(), lead("call"))], ids=["no lead", "guide"])
def test_a_notebook_bears_a_crm_that_tells_little(
    script: Path, records: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm = CrmFile(tmp_path / "crm.duckdb")
    crm.load(seen(*records))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(FOLDER))
    for name, value in environment_for(load_settings(_env_file=None), crm.path).items():
        monkeypatch.setenv(name, value)
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
    exec(code, {"__name__": "__main__"})  # noqa: S102 - our own


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("socket.create_connection(('192.0.2.1', 80), 1)", "asked for 192.0.2.1"),
        ("socket.create_connection(('portal.example', 80), 1)", "asked for portal.example"),
        ("socket.socket().connect_ex(('192.0.2.1', 80))", "asked for ('192.0.2.1', 80)"),
        ("warnings.warn('old')", "UserWarning: old"),
    ],
)
def test_network_and_warnings_fail_a_notebook(code: str, said: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", f"{SHUT_OFF}\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
