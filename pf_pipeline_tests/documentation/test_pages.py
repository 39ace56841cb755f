"""Links, paths and names in the pages lead somewhere; the diagrams agree; nothing slips in."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import dagster as dg
import pytest

from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline.orchestration.checks import ALL_CHECKS
from pf_pipeline_tests.documentation.pages import (
    DOCS,
    PAGES,
    PROJECT,
    README,
    anchors,
    blocks,
    code_spans,
    links,
    name_of,
    read,
    section,
    table_rows,
)

FLOW = DOCS / "flow.svg"
WRITTEN = (*PAGES, FLOW, PROJECT / ".env.example")
SVG = "{http://www.w3.org/2000/svg}"

FORBIDDEN = {
    "a path of some machine": r"(?<![\w.])/(?:work|root|home|tmp|Users|opt)\b",
    "a package index": r"/simple/|artifactory|nexus",
    "a picture sign": "[\U0001f000-\U0001faff\u2600-\u27bf]",
    "a placeholder": r"(?i)\b(?:todo|fixme|tbd|lorem)\b",
}
PATHS = re.compile(
    r"(?:pf_pipeline(?:_tests)?|docs|scripts|requirements|bench|data/reference)/[\w./*-]*"
    r"|(?:dagster|workspace)\.yaml|Makefile|pyproject\.toml|\.env\.example|LICENSE"
)
CRON_IN_WORDS = {
    "*/5 * * * *": "every 5 minutes",
    "22 * * * *": "22 minutes past every hour",
    "32 1 * * *": "01:32",
    "50 * * * *": "10 minutes to every hour",
}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        file, _, anchor = link.partition("#")
        assert "://" not in file, f"{link}: write addresses as they are, in <>"
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in links(README)}
    assert {page.resolve() for page in PAGES} - {README} <= linked
    assert FLOW.resolve() in linked


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_that_are_named_exist(page: Path) -> None:
    for span in filter(PATHS.fullmatch, code_spans(page)):
        assert any(PROJECT.glob(span.rstrip("/"))), f"{name_of(page)}: {span}"


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
@pytest.mark.parametrize("kind", FORBIDDEN)
def test_nothing_slips_in(page: Path, kind: str) -> None:
    assert not re.search(FORBIDDEN[kind], read(page)), kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("a path of some machine", "see /home/me/x"),
        ("a package index", "https://packages.example.org/simple/"),
        ("a picture sign", "done \u2705"),
        ("a placeholder", "TODO"),
    ],
)
def test_what_is_forbidden_is_found(kind: str, text: str) -> None:
    assert re.search(FORBIDDEN[kind], text)


def test_definitions_are_named_as_they_are() -> None:
    definitions = build_definitions().resolve_all_asset_specs()
    architecture = set(code_spans(DOCS / "architecture.md"))
    assert {spec.key.to_user_string() for spec in definitions} <= architecture
    assert {key.name for check in ALL_CHECKS for key in check.check_keys} <= architecture


def test_schedules_are_described_as_they_are() -> None:
    rows = table_rows(section(DOCS / "running-in-production.md", "Schedules"))
    described = {row[0].strip("`"): row[1] for row in rows}
    assert described == {
        schedule.name: CRON_IN_WORDS[str(schedule.cron_schedule)]
        for schedule in build_definitions().schedules or []
        if isinstance(schedule, dg.ScheduleDefinition)
    }


def labels_of(mermaid: str) -> set[str]:
    """The lines of text in a Mermaid flowchart."""
    nodes = re.findall(r"\w+\[\"([^\"]+)\"\]", mermaid)
    arrows = re.findall(r"-->\|\"?([^|\"]+)\"?\|", mermaid)
    return {line for text in [*nodes, *arrows] for line in text.split("<br/>")}


def texts_of_picture() -> dict[str, set[str]]:
    """The texts of the SVG, by class."""
    texts: dict[str, set[str]] = {}
    for text in ET.parse(FLOW).getroot().iter(f"{SVG}text"):  # noqa: S314 - our own file
        texts.setdefault(text.attrib["class"], set()).add("".join(text.itertext()))
    return texts


def test_all_diagrams_say_the_same() -> None:
    diagrams = [block.text for page in PAGES for block in blocks(page, "mermaid")]
    assert len(set(diagrams)) == 1
    texts = texts_of_picture()
    assert labels_of(diagrams[0]) == texts["name"] | texts["note"] | texts["label"]


def test_the_mermaid_diagram_is_whole() -> None:
    (diagram,) = blocks(README, "mermaid")
    header, *lines = [line.strip() for line in diagram.text.splitlines() if line.strip()]
    node, arrow = r"(\w+)\[\"[^\"]+\"\]", r"(\w+) -->(?:\|\"[^\"]+\"\|)? (\w+)"
    assert re.fullmatch("flowchart (TD|LR)", header)
    nodes = [found[1] for line in lines if (found := re.fullmatch(node, line))]
    arrows = [found.groups() for line in lines if (found := re.fullmatch(arrow, line))]
    assert len(nodes) + len(arrows) == len(lines), "a line is neither a box nor an arrow"
    assert sorted(nodes) == sorted({name for ends in arrows for name in ends})


def test_the_picture_stands_alone() -> None:
    picture = read(FLOW)
    root = ET.fromstring(picture)  # noqa: S314 - our own file
    assert root.attrib["width"] == "900"
    assert root.find(f"{SVG}rect") is not None, "without a background it is unreadable in the dark"
    addresses = set(re.findall(r"(?:https?:)?//[^\"'\s)]+", picture))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|<image|<script|href", picture)
