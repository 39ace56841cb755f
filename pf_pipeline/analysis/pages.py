"""HTML that stands alone: sections, tables with bars, a week as a grid; no scripts, no links."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #111; margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem; background: #fff; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; border-bottom: 1px solid #bbb; }
p { margin: .3rem 0 .8rem; max-width: 46rem; }
.about { color: #555; }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.figure { border: 1px solid #999; border-radius: 4px; padding: .6rem .9rem; min-width: 9rem; }
.figure b { display: block; font-size: 1.7rem; }
table { border-collapse: collapse; margin: 0 0 1.2rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; border-bottom: 1px solid #999; }
th, td { padding: .15rem .7rem .15rem 0; vertical-align: top; }
td.number, th.number { text-align: right; }
td.bar { width: 16rem; }
td.bar div { height: .8rem; background: #444; }
table.week td { width: 1.9rem; padding: .15rem 0; text-align: center; border: 1px solid #fff; }
"""
DARKEST = 0.75
"""So that black text would still be told from it; text on the darker half is white."""
WHITE_TEXT_FROM = 0.5


def page(title: str, sections: Iterable[str]) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def heading(title: str, about: str) -> str:
    """What the document is, and of what."""
    return f'<h1>{escape(title)}</h1><p class="about">{escape(about)}</p>'


def figures(named: Mapping[str, str]) -> str:
    """Large figures side by side, each with what it counts."""
    boxes = "".join(
        f'<div class="figure"><b>{escape(value)}</b>{escape(name)}</div>'
        for name, value in named.items()
    )
    return f'<div class="figures">{boxes}</div>'


def section(title: str, about: str, *contents: str) -> str:
    """A part with a heading and a sentence that says how to read it."""
    return f"<h2>{escape(title)}</h2><p>{escape(about)}</p>" + "".join(contents)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], bars: Sequence[float] = ()
) -> str:
    """A table: texts to the left, all other cells to the right, and a bar behind each row.

    Args:
        headings: One a column.
        rows: Cells, as many as headings; texts and what is shown as it is.
        bars: For each row its length, in any unit; none without.
    """
    lines = [*rows]
    if not lines:
        return "<p>None.</p>"
    longest = max([*bars, 0.0]) or 1.0
    numeric = [not isinstance(cell, str) or cell[:1].isdigit() for cell in lines[0]]
    head = "".join(
        f"<th{_class(is_number)}>{escape(name)}</th>"
        for name, is_number in zip(headings, numeric, strict=True)
    )
    body = []
    for position, cells in enumerate(lines):
        shown = "".join(
            f"<td{_class(is_number)}>{escape(str(cell))}</td>"
            for cell, is_number in zip(cells, numeric, strict=True)
        )
        if bars:
            width = 100 * bars[position] / longest
            shown += f'<td class="bar"><div style="width:{width:.1f}%"></div></td>'
        body.append(f"<tr>{shown}</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def grid(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[int]]]) -> str:
    """Counts as a grid, the darker the more; each cell holds its count."""
    lines = [*rows]
    most = max((count for _, counts in lines for count in counts), default=0) or 1
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(_cell(count, most) for count in counts)}</tr>"
        for name, counts in lines
    )
    return f'<table class="week"><tr><th></th>{head}</tr>{body}</table>'


def _cell(count: int, most: int) -> str:
    darkness = DARKEST * count / most
    level = round(255 * (1 - darkness))
    text = "#fff" if darkness > WHITE_TEXT_FROM else "#111"
    shown = count or ""
    return f'<td style="background:rgb({level},{level},{level});color:{text}">{shown}</td>'


def _class(is_number: object) -> str:
    return ' class="number"' if is_number else ""
