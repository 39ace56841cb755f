"""Runs the commands of the pages, or what stands in for those that install or serve for ever.

``RULES`` is the whole of what a page may say. A command that no rule knows fails the test: whoever
documents a new one decides here how it is tried.
"""

import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from unittest import mock

import typer
import typer.core
import typer.main
from typer.testing import CliRunner

from pf_pipeline.cli import app
from pf_pipeline_tests.documentation.pages import PROJECT

ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass
class Shell:
    """A terminal in a copy of the project.

    Attributes:
        folder: The copy; also the working directory of the test.
        demo_output: What ``make demo`` printed, which has run already.
        preamble: The exports so far.
    """

    folder: Path
    demo_output: str
    preamble: list[str] = field(default_factory=list)

    def run(self, script: str) -> str:
        """Run a block of commands; gives what they print.

        Raises:
            AssertionError: One of them is unknown, or failed.
        """
        return "".join(self._run_one(statement) for statement in statements(script))

    def _run_one(self, statement: str) -> str:
        words = shlex.split(statement, comments=True)
        environment = {}
        while words and ASSIGNMENT.match(words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        command = " ".join(words)
        for pattern, runner in RULES:
            if re.fullmatch(pattern, command, re.DOTALL):
                with mock.patch.dict(os.environ, environment):
                    return runner(self, words, statement)
        raise AssertionError(f"no rule says how to try the command: {statement}")


Runner = Callable[[Shell, list[str], str], str]


def statements(script: str) -> Iterator[str]:
    """The commands of a script, each whole, however many lines it takes."""
    waiting = ""
    for line in script.splitlines():
        waiting += f"{line}\n"
        try:
            complete = bool(shlex.split(waiting, comments=True)) and not line.endswith("\\")
        except ValueError:  # within quotes
            continue
        if complete:
            yield waiting
            waiting = ""
    assert not waiting.strip(), f"an unfinished command: {waiting}"


def in_process(_shell: Shell, words: list[str], statement: str) -> str:
    """``pf-pipeline``, without starting Python once more."""
    result = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert result.exit_code == 0, f"{statement}\n{result.output}"
    return result.output


def only_parsed(_shell: Shell, words: list[str], statement: str) -> str:
    """Commands that serve for ever, or need an address outside: their arguments are read only."""
    group = command_group()
    group.commands[words[1]].callback = lambda **_: None
    assert _exit_status(partial(group, words[1:])) == 0, f"wrong arguments: {statement}"
    return ""


def _exit_status(program: Callable[[], object]) -> object:
    """Run a program that ends by leaving Python."""
    try:
        program()
    except SystemExit as ended:
        return ended.code or 0
    return 0


def command_group() -> typer.core.TyperGroup:
    """All commands of ``pf-pipeline``, by name."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def only_helped(_shell: Shell, words: list[str], statement: str) -> str:
    """Dagster's own commands: their help must know the subcommands and the options."""
    program, *arguments = Path(words[0]).name, *words[1:]
    options = [word for word in arguments if word.startswith("-")]
    subcommands = list(takewhile(lambda word: not word.startswith("-"), arguments))[:2]
    (script,) = entry_points(group="console_scripts", name=program)
    output = io.StringIO()
    with (
        warnings.catch_warnings(action="ignore"),
        mock.patch.object(sys, "argv", [program, *subcommands, "--help"]),
        redirect_stdout(output),
    ):
        assert _exit_status(script.load()) == 0, statement
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", output.getvalue()))
    assert set(options) <= known, f"{statement} knows no {set(options) - known}"
    return ""


def dry_run(shell: Shell, words: list[str], _statement: str) -> str:
    """``make``: the target must exist, and the demo's must run what has run already."""
    # The tests themselves run under make, which would otherwise report the folders it enters.
    printed = _output(["make", "--no-print-directory", "--dry-run", *words[1:]], shell.folder)
    if words[1:] != ["demo"]:
        return ""
    assert printed.strip().splitlines()[-1].endswith(".venv/bin/pf-pipeline demo")
    return shell.demo_output


def only_there(_shell: Shell, words: list[str], statement: str) -> str:
    """``pytest``: the tests must be there; they run by themselves."""
    assert (PROJECT / words[-1]).exists(), statement
    return ""


def only_explained(_shell: Shell, words: list[str], statement: str) -> str:
    """Benchmarks take minutes: they must be there, and their help must know the options."""
    assert find_spec(words[2]), statement
    options = {word for word in words[3:] if word.startswith("-")}
    if options:
        explained = _output([sys.executable, *words[1:3], "--help"], PROJECT)
        assert options <= set(re.findall(r"--[a-z-]+", explained)), statement
    return ""


def exported(shell: Shell, _words: list[str], statement: str) -> str:
    """``export``: kept for the commands that follow."""
    shell.preamble.append(statement)
    return ""


def in_bash(shell: Shell, _words: list[str], statement: str) -> str:
    """As it stands."""
    script = "".join(["set -euo pipefail\n", *shell.preamble, statement])
    return _output(["bash", "-c", script], shell.folder)


RULES: tuple[tuple[str, Runner], ...] = (
    (r"make (demo|ui|notebooks|test|lint|format|lock|install|bench)", dry_run),
    (r"\.venv/bin/pf-pipeline (demo|doctor|rebuild.*|backfill .*)", in_process),
    (r"\.venv/bin/pf-pipeline (ui|webhook|sandbox|subscribe).*", only_parsed),
    (r"\.venv/bin/dagster-daemon (run|liveness-check).*", only_helped),
    (r"\.venv/bin/dagster-webserver .*", only_helped),
    (r"\.venv/bin/dagster schedule start .*", only_helped),
    (r"\.venv/bin/dagster instance info", only_helped),
    (r"\.venv/bin/python -m pytest -q \S+", only_there),
    (r"\.venv/bin/python -m bench\.\w+.*", only_explained),
    (r"\.venv/bin/python -m notebooks.*", only_explained),
    (r"\.venv/bin/python -m pf_pipeline\.sandbox\.reference_data data/reference", in_bash),
    (r"\.venv/bin/python -c .*", in_bash),
    (r"export DAGSTER_HOME=.*", exported),
    (r"cp \.env\.example \.env", in_bash),
    (r"cp dagster\.yaml \S+", in_bash),
    (r"chmod [0-7]+ (\.env|data/live)", in_bash),
    (r"mkdir -p (data/live|backup|\$DAGSTER_HOME)", in_bash),
    (r"find data/live/raw/leads .*", in_bash),
    (r"flock data/live/crm\.duckdb\.lock cp \S+ backup/\S+", in_bash),
    (r"tar -czf backup/\S+ -C data/live raw", in_bash),
)


def run_python(code: str, globals_: Mapping[str, object] | None = None) -> str:
    """Execute a block of Python; gives what it prints."""
    output = io.StringIO()
    with redirect_stdout(output):
        exec(compile(code, "<documentation>", "exec"), dict(globals_ or {}))  # noqa: S102 - our own
    return output.getvalue()


def _output(command: list[str], folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the commands of our own pages, each named by a rule
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
