"""Troubleshooting explains every sentence that the code can end with, and no other."""

import ast
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pf_pipeline.cli import app
from pf_pipeline.leads.parser import parse_record
from pf_pipeline_tests.documentation.pages import (
    DOCS,
    PROJECT,
    prose,
    read,
    section,
    table_rows,
)

PAGE = DOCS / "troubleshooting.md"
GAP = "…"
REJECTS = "Rejected records"

FOR_PEOPLE = {
    "BackfillError",
    "BadParameter",
    "CrmBusyError",
    "CrmError",
    "RebuildError",
    "InboxError",
    "PermanentPortalError",
    "PortalDataError",
    "ReceiverError",
    "QueryError",
    "ReferenceDataError",
    "SettingsError",
    "TransientPortalError",
    "UiError",
    "_say",
}
"""Calls whose first argument is a sentence for people."""

PLAIN_ERRORS = {"ValueError", "FileNotFoundError", "OSError"}
"""Errors of Python itself, which are for people in these modules only."""
PLAIN_ERRORS_FOR_PEOPLE_IN = {
    "settings.py",
    "days.py",
    "manifests.py",
    "packing.py",
    "packs.py",
    "passes.py",
    "staged.py",
    "doctor.py",
    "reference_data.py",
}

LEAST_LETTERS = 8
"""A sentence that the code puts together from less than that cannot be told from others."""


def template(node: ast.expr) -> str | None:
    """A text in the code, with a gap for whatever is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub("%[sd]", GAP, node.value)  # what is logged is put in later
    if isinstance(node, ast.JoinedStr):
        text = "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else GAP
            for part in node.values
        )
        return re.sub(f"{GAP}+", GAP, text)
    return None


def syntax_trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((PROJECT / "pf_pipeline").rglob("*.py")):
        yield path, ast.parse(read(path))


@cache
def sentences_for_people() -> frozenset[str]:
    found = set()
    for path, tree in syntax_trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            wanted = name in FOR_PEOPLE or (
                name in PLAIN_ERRORS and path.name in PLAIN_ERRORS_FOR_PEOPLE_IN
            )
            if wanted and (sentence := template(node.args[0])) is not None:
                found.add(sentence)
    return frozenset(found)


@cache
def all_texts() -> frozenset[str]:
    texts = set()
    for _, tree in syntax_trees():
        nodes = (node for node in ast.walk(tree) if isinstance(node, ast.expr))
        texts |= {text for node in nodes if (text := template(node)) is not None}
    return frozenset(text for text in texts if len(re.sub(r"\W", "", text)) >= LEAST_LETTERS)


def documented() -> list[str]:
    """The sentences of the first column, but for the reasons of rejects, which are no errors."""
    rows = table_rows(prose(PAGE).replace(section(PAGE, REJECTS), ""))
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row[0])]


def may_become(sentence: str, shown: str) -> bool:
    """Whether a sentence of the code can come out as shown."""
    pattern = ".+?".join(map(re.escape, sentence.split(GAP)))
    return re.fullmatch(pattern, shown) is not None


def undocumented(sentences: frozenset[str]) -> list[str]:
    shown = documented()
    return sorted(
        sentence for sentence in sentences if not any(may_become(sentence, one) for one in shown)
    )


def test_every_sentence_is_explained() -> None:
    assert len(sentences_for_people()) > 40
    assert undocumented(sentences_for_people()) == []


def test_a_new_sentence_is_found() -> None:
    assert undocumented(frozenset({"The … fell into the sea."})) == ["The … fell into the sea."]


@pytest.mark.parametrize("shown", documented())
def test_no_sentence_is_explained_that_nobody_says(shown: str) -> None:
    assert any(may_become(text, shown) for text in all_texts())


def test_a_sentence_that_nobody_says_is_found() -> None:
    assert not any(may_become(text, "The moon fell into the sea.") for text in all_texts())


def test_reasons_of_rejects_are_explained_as_they_are() -> None:
    useless: list[object] = [None, {}, {"id": []}, {"id": "1"}, {"id": "1", "createdAt": "soon"}]
    said = {parse_record(record)[-1] for record in useless}
    rows = table_rows(section(PAGE, REJECTS))
    explained = {text for row in rows for text in re.findall(r"`([^`]+)`", row[0])}
    (rule,) = explained - said
    assert rule in read(PROJECT / "pf_pipeline/leads/schema.py")
    assert said <= explained


A_DAY = ["backfill", "--from", "2025-12-19", "--to", "2025-12-19"]
SWAPPED = ["backfill", "--from", "2025-12-19", "--to", "2025-12-18"]


@pytest.mark.parametrize(
    ("arguments", "settings", "status"),
    [
        (["--help"], {}, 0),
        (A_DAY, {"PF_API_TOKEN": "x"}, 1),
        (A_DAY, {}, 2),
        (A_DAY, {"PF_API_TOKEN": "x", "PF_CRM_URL": "postgresql://crm"}, 2),
        (["doctor"], {"PF_API_DIALECT": "french"}, 1),
        (["backfill"], {}, 2),
        (SWAPPED, {}, 2),
        (A_DAY, {"PF_API_DIALECT": "french"}, 2),
        (A_DAY, {"PF_PROPERTIES": "nowhere.csv"}, 2),
    ],
)
def test_exit_statuses_are_as_described(
    arguments: list[str],
    settings: dict[str, str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(PROJECT / "data/reference", tmp_path / "data/reference")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PF_API_BASE_URL", "http://127.0.0.1:9")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(app, arguments).exit_code == status
    assert str(status) in [row[0] for row in table_rows(section(PAGE, "Exit statuses"))]


def test_every_row_says_what_to_do() -> None:
    for row in table_rows(read(PAGE)):
        assert all(row[:2]), row
