"""The charts of the notebooks: drawn offline, in greys that print, with units and time zone.

Each function takes a frame of :mod:`pf_pipeline.analysis` and gives a chart, or one sentence where
there is nothing to show.
"""

from typing import Any, TypeAlias

import altair as alt
import pandas as pd
from IPython.display import Markdown

from pf_pipeline.analysis import WEEKDAYS

Shown: TypeAlias = alt.Chart | alt.LayerChart | Markdown

DARK, LIGHT = "#333333", "#9a9a9a"
WIDTH, ROW_HEIGHT = 620, 19
DOTS_AN_INCH = 144  # twice as fine as it is shown
NOTHING = Markdown("*Nothing to show: there are no such leads, or fewer than 10 of each.*")


def draw_offline() -> None:
    """Let charts appear as pictures, made on this machine by vl-convert."""
    alt.renderers.enable("png", ppi=DOTS_AN_INCH)
    alt.theme.register("plain", enable=True)(_plain)


def by_day(days: pd.DataFrame, timezone: str) -> Shown:
    """A bar for each day's leads."""
    if days.empty:
        return NOTHING
    return (
        alt.Chart(days)
        .mark_bar(color=DARK, width={"band": 0.8})
        .encode(
            x=alt.X("yearmonthdate(day):O", title=f"day ({timezone})", axis=_axis(format="%d %b")),
            y=alt.Y("leads:Q", title="leads a day", axis=_axis(tickMinStep=1)),
        )
        .properties(width=WIDTH, height=170)
    )


def by_hour_and_weekday(week: pd.DataFrame, timezone: str) -> Shown:
    """A week as a grid of hours, the darker the more leads, with the counts in it."""
    if not week["leads"].any():
        return NOTHING
    named = week.assign(weekday=[WEEKDAYS[day] for day in week["weekday"]])
    grid = alt.Chart(named).encode(
        x=alt.X("hour:O", title=f"hour of the day ({timezone})", axis=_axis()),
        y=alt.Y("weekday:O", title=None, sort=[*WEEKDAYS]),
    )
    most = int(week["leads"].max())
    cells = grid.mark_rect().encode(
        color=alt.Color("leads:Q", scale=alt.Scale(range=["#ffffff", "#444444"]), legend=None)
    )
    counts = (
        grid.transform_filter("datum.leads > 0")
        .mark_text(fontSize=10)
        .encode(
            text="leads:Q",
            color=alt.condition(
                f"datum.leads > {0.55 * most}", alt.value("white"), alt.value("black")
            ),
        )
    )
    return (cells + counts).properties(width=WIDTH, height=7 * 24)


def bars(figures: pd.DataFrame, label: str, value: str, title: str, *, form: str = ",.0f") -> Shown:
    """A bar for each row, in the rows' order, with its figure at its end.

    Args:
        figures: The rows.
        label: The column that names them.
        value: The column with their figures; missing ones are left out.
        title: What the figures are, with their unit.
        form: How a figure is written, such as ``.0%``.
    """
    shown = figures[[label, value]].dropna(subset=[value])
    if shown.empty:
        return NOTHING
    # A share's axis ends at the whole, so that a long bar is a large share.
    domain = [0, 1] if form.endswith("%") else [0, max(float(shown[value].max()) * 1.12, 1e-9)]
    base = alt.Chart(shown.astype({label: "object"}).fillna({label: "nobody"})).encode(
        x=alt.X(f"{value}:Q", title=title, scale=alt.Scale(domain=domain), axis=_axis(format=form)),
        y=alt.Y(f"{label}:N", title=None, sort=None, axis=_axis(labelLimit=320)),
    )
    ends = base.mark_text(align="left", dx=4).encode(text=alt.Text(f"{value}:Q", format=form))
    return (base.mark_bar(color=DARK) + ends).properties(
        width=WIDTH - 120, height=alt.Step(ROW_HEIGHT)
    )


def median_and_p90(speed: pd.DataFrame, label: str) -> Shown:
    """For each row a line from the median to the time within which 9 of 10 replies came."""
    shown = speed.dropna(subset=["median_minutes"])
    if shown.empty:
        return NOTHING
    scale = alt.Scale(type="symlog", constant=5)
    ticks = [0, 5, 15, 60, 240, 1440]
    minutes = alt.X(
        "median_minutes:Q",
        title="minutes until the reply: dot = half of the replies, end of the line = 9 of 10",
        scale=scale,
        axis=_axis(values=ticks, format=",.0f"),
    )
    base = alt.Chart(shown.astype({label: "object"}).fillna({label: "nobody"})).encode(
        x=minutes, y=alt.Y(f"{label}:N", title=None, sort=None, axis=_axis(labelLimit=320))
    )
    lines = base.mark_rule(color=LIGHT, strokeWidth=3).encode(x2="p90_minutes:Q")
    dots = base.mark_circle(color=DARK, size=70, opacity=1)
    return (lines + dots).properties(width=WIDTH - 120, height=alt.Step(ROW_HEIGHT))


def how_soon(named: dict[str, pd.DataFrame]) -> Shown:
    """How large a share is replied to within 5 minutes, 15 minutes and 1 hour, and never.

    Args:
        named: Figures of :func:`~pf_pipeline.analysis.speed_to_lead` over all leads, by what they
            are figures of.
    """
    limits = {
        "within_5_min": "within 5 minutes",
        "within_15_min": "within 15 minutes",
        "within_1_h": "within 1 hour",
        "never": "never",
    }
    rows = [
        {"limit": words, "clock": clock, "share": float(figures[name].iloc[0])}
        for clock, figures in named.items()
        if len(figures)
        for name, words in limits.items()
    ]
    if not rows:
        return NOTHING
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X(
            "share:Q",
            title="share of messages",
            scale=alt.Scale(domain=[0, 1]),
            axis=_axis(format=".0%"),
        ),
        y=alt.Y("limit:N", title=None, sort=[*limits.values()]),
        yOffset=alt.YOffset("clock:N", sort=[*named]),
    )
    coloured = base.mark_bar().encode(
        color=alt.Color(
            "clock:N",
            title=None,
            sort=[*named],
            scale=alt.Scale(range=[DARK, LIGHT]),
            legend=alt.Legend(orient="top", labelLimit=0),
        )
    )
    ends = base.mark_text(align="left", dx=4).encode(text=alt.Text("share:Q", format=".0%"))
    return (coloured + ends).properties(width=WIDTH - 120, height=alt.Step(ROW_HEIGHT))


def line(figures: pd.DataFrame, x: str, y: str, x_title: str, y_title: str) -> Shown:
    """A line over whole days, with a dot for each figure."""
    shown = figures.dropna(subset=[y])
    if shown.empty:
        return NOTHING
    return (
        alt.Chart(shown)
        .mark_line(color=DARK, point=alt.OverlayMarkDef(color=DARK, filled=True, size=50))
        .encode(
            x=alt.X(f"yearmonthdate({x}):O", title=x_title, axis=_axis(format="%d %b")),
            y=alt.Y(f"{y}:Q", title=y_title),
        )
        .properties(width=WIDTH, height=160)
    )


def columns(figures: pd.DataFrame, x: str, y: str, x_title: str, y_title: str) -> Shown:
    """An upright bar for each row, such as for each hour."""
    if figures.empty or not figures[y].any():
        return NOTHING
    return (
        alt.Chart(figures)
        .mark_bar(color=DARK)
        .encode(
            x=alt.X(f"{x}:O", title=x_title, axis=_axis()),
            y=alt.Y(f"{y}:Q", title=y_title, axis=_axis(tickMinStep=1)),
        )
        .properties(width=WIDTH, height=150)
    )


def _axis(**options: Any) -> alt.Axis:  # noqa: ANN401 - Altair's own
    return alt.Axis(labelAngle=0, labelOverlap=True, **options)


def _plain() -> alt.theme.ThemeConfig:
    """Black on white, no frame, lines that do not shout."""
    return {
        "config": {
            "background": "white",
            "view": {"stroke": None},
            "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
            "text": {"fontSize": 12},
            "legend": {"labelFontSize": 12},
        }
    }
