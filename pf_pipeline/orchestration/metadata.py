"""What the UI shows of a materialization: columns, counts, and previews without personal data."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg
import pandas as pd

from pf_pipeline.leads.schema import Observation

PREVIEW_ROWS = 10
PREVIEW_COLUMNS = (
    "created_at",
    "channel",
    "status",
    "listing_reference",
    "agent_id",
    "assignment_rule",
)
"""What a preview may show: nothing that says who the client is."""

ASSIGNMENT_COLUMNS = {
    "property_ref": "The brokerage's property that the lead is about.",
    "agent_id": "The agent who gets the lead; missing if nobody does.",
    "assignment_rule": "listing_reference, portal_agent, manual or unassigned.",
    "assignment_reason": "Why this agent, or why none.",
}


def observation_schema() -> dg.TableSchema:
    """The columns of validated leads, from the pandera model's own descriptions."""
    columns = Observation.to_schema().columns
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type=str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in columns.items()
        ]
    )


def assigned_schema() -> dg.TableSchema:
    """The columns of assigned leads: a lead's own, and the assignment."""
    own = [
        column
        for column in observation_schema().columns
        if column.name
        not in {
            "observed_by",
            "content_id",
            "times_observed",
            "first_observed_at",
            "last_observed_at",
        }
    ]
    seen = [
        dg.TableColumn("first_seen_at", "datetime64[us, UTC]", "When it was first seen, UTC."),
        dg.TableColumn("updated_at", "datetime64[us, UTC]", "When it last showed something new."),
    ]
    added = [dg.TableColumn(name, "str", text) for name, text in ASSIGNMENT_COLUMNS.items()]
    return dg.TableSchema([*own, *seen, *added])


def text_columns(descriptions: Mapping[str, str]) -> dg.TableSchema:
    """A schema of text columns, from their descriptions."""
    return dg.TableSchema(
        [dg.TableColumn(name, "text", text) for name, text in descriptions.items()]
    )


def preview(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows, in the columns that hold no personal data."""
    shown = frame[[name for name in PREVIEW_COLUMNS if name in frame.columns]].head(PREVIEW_ROWS)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return markdown_table(shown.columns.tolist(), rows)


def counted(counts: Mapping[str, int], heading: str) -> dg.MarkdownMetadataValue:
    """Counts by some key, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return markdown_table([heading, "leads"], [[key, str(count)] for key, count in ordered])


def markdown_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]]
) -> dg.MarkdownMetadataValue:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, pd.Timestamp):
        return value.strftime("%H:%M:%S")
    return str(value).replace("|", "\\|").replace("\n", " ")
