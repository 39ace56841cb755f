"""Reads the pages: code blocks, headings, links, tables and code in the text."""

import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
PAGES = (README, *sorted(DOCS.glob("*.md")))

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_CELLS = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, in order; of some languages, or of all."""
    found: list[Block] = []
    opened: tuple[str, str, int] | None = None
    body: list[str] = []
    for number, line in enumerate(read(page).splitlines(), start=1):
        if opened is None:
            if fence := _FENCE.match(line):
                opened, body = (fence["indent"], fence["language"], number), []
        elif line == f"{opened[0]}```":
            found.append(Block(opened[1], "\n".join(body) + "\n", opened[2]))
            opened = None
        else:
            body.append(line.removeprefix(opened[0]))
    assert opened is None, f"{name_of(page)}: the block of line {opened} never ends"
    return [block for block in found if not languages or block.language in languages]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    slugs = set()
    for heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        slugs.add(plain.replace(" ", "-"))
    return slugs


def code_spans(page: Path) -> list[str]:
    return _CODE.findall(prose(page))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    parts = re.split(r"^#+ +(.*)$", prose(page), flags=re.MULTILINE)
    return parts[parts.index(heading) + 1]


def table_rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without headings and rulers."""
    rows: list[list[str]] = []
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in _CELLS.split(line)[1:-1]]
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            assert above.startswith("|"), "a table without headings"
            rows.pop()
        else:
            rows.append(cells)
    return rows
