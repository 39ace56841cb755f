"""Every command, every query and every snippet of the pages works, and prints what they show."""

import re
from pathlib import Path

import duckdb
import pytest

from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline_tests.documentation.conftest import Demo, OpenShell
from pf_pipeline_tests.documentation.pages import (
    PAGES,
    PROJECT,
    README,
    blocks,
    code_spans,
    name_of,
    read,
    section,
    table_rows,
)
from pf_pipeline_tests.documentation.running import (
    Shell,
    command_group,
    run_python,
    statements,
)

REAL_PORTAL = "https://atlas.propertyfinder.com"
AFTER_THE_FIRST_STEPS = {
    # Which pages take for granted that .env is there, or that real leads have come in.
    "README.md": (False, False),
    "docs/notebooks.md": (False, False),
    "docs/running-in-production.md": (True, True),
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_run_and_print_what_is_shown(
    page: Path, open_shell: OpenShell, sandbox: RunningSandbox
) -> None:
    settings, live_leads = AFTER_THE_FIRST_STEPS.get(name_of(page), (True, False))
    shell = open_shell(with_settings=settings, with_live_leads=live_leads)
    printed: str | None = None
    for block in blocks(page):
        place = f"{name_of(page)}, line {block.line}"
        match block.language:
            case "sh":
                printed = shell.run(block.text)
            case "python":
                printed = run_python(block.text)
            case "sql":
                printed = run_query(block.text)
            case "text":
                assert printed is not None, f"{place}: output of no command"
                shown = block.text.replace(REAL_PORTAL, sandbox.base_url)
                assert_shown(shown, printed, place)
            case "mermaid" | "ini":
                pass
            case other:
                raise AssertionError(f"{place}: nothing says how to try a block of '{other}'")


def run_query(sql: str) -> str:
    """A query over the demo's CRM finds something."""
    with duckdb.connect("data/crm.duckdb", read_only=True) as crm:
        rows = crm.execute(sql).fetchall()
    assert rows, f"the query finds nothing:\n{sql}"
    return "\n".join(map(str, rows))


def assert_shown(shown: str, printed: str, place: str) -> None:
    """Each line that is shown was printed, in this order; ``…`` stands for anything."""
    lines = [line.rstrip() for line in printed.splitlines()]
    for line in shown.splitlines():
        pattern = re.compile(".*".join(map(re.escape, line.rstrip().split("…"))))
        found = next((n for n, other in enumerate(lines) if pattern.fullmatch(other)), None)
        assert found is not None, f"{place}: not printed (any more):\n{line}\n\n{printed}"
        del lines[: found + 1]


def test_lines_that_are_not_printed_are_found() -> None:
    assert_shown("one\n…\nthr…e", "zero\none  \ntwo\nthree", "here")
    for wrong in ("one\ntwo", "three\none", "tw"):
        with pytest.raises(AssertionError, match="not printed"):
            assert_shown(wrong, "one\nthree", "here")


@pytest.mark.parametrize(
    "command", ["rm -rf data", "make rain", "curl -O file", ".venv/bin/pf-pipeline fly"]
)
def test_unknown_commands_are_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no rule"):
        Shell(tmp_path, "").run(command)


@pytest.mark.parametrize(
    "command", ["ui --no-sandbocks", "sandbox --port x", "ui --port", "sandbox --from 1.1.2025"]
)
def test_wrong_arguments_are_refused(command: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="wrong arguments"):
        Shell(tmp_path, "").run(f".venv/bin/pf-pipeline {command}")


def test_statements_take_as_many_lines_as_they_need() -> None:
    script = "a b\n\n# a word\nc 'd\ne' \\\n  f\n"
    assert list(statements(script)) == ["a b\n", "\n# a word\nc 'd\ne' \\\n  f\n"]


def test_every_command_is_documented_and_no_other() -> None:
    rows = table_rows(section(README, "Commands"))
    assert {row[0].strip("`").split()[1] for row in rows} == set(command_group().commands)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_commands_exist(page: Path) -> None:
    named = set(re.findall(r"pf-pipeline ([a-z]+)", "\n".join(code_spans(page))))
    assert named <= set(command_group().commands)


def test_every_make_target_is_documented_and_no_other() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    rows = table_rows(section(PROJECT / "docs/development.md", "Make targets"))
    assert {row[0].strip("`").removeprefix("make ") for row in rows} == targets - {"help"}
    named = {
        target
        for page in PAGES
        for target in re.findall(r"^make ([a-z]+)", "\n".join(code_spans(page)), re.MULTILINE)
    }
    assert named <= targets


def test_the_demo_shows_what_the_readme_says_of_its_columns(demo: Demo) -> None:
    explained = [row[0] for row in table_rows(section(README, "Two minutes to a running pipeline"))]
    headings = re.sub(r"\W", "", demo.output)
    assert [word for word in ("received", "loaded", "duplicate", "rejected") if word in headings]
    assert explained[:4] == ["received", "loaded", "duplicate", "rejected"]
    rules = {"by listing", "by portal", "by portal's listing", "unassigned", "manual"}
    assert {*rules, "recordings"} == set(explained[4:])


def test_services_start_programs_that_exist() -> None:
    units = [block.text for page in PAGES for block in blocks(page, "ini")]
    started = re.findall(r"^ExecStart=\S*/\.venv/bin/(\S+)", "\n".join(units), re.MULTILINE)
    scripts = read(PROJECT / "docs/running-in-production.md")
    assert started
    assert all(f".venv/bin/{program} " in scripts for program in started)
