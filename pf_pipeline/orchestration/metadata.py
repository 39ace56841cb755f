"""What the UI shows of a materialization: columns, counts, and previews without personal data."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pandas as pd

from pf_pipeline.archive import Manifest, StoredPage
from pf_pipeline.crm import Loaded
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
HEADINGS = {"created_at": "created (UTC)"}

PLAIN_TYPES = {"str": "text", "int": "integer", "bool": "boolean", "datetime": "timestamp"}
"""What a column's type is called, by how the name of its dtype begins."""

OBSERVATION_ONLY = {
    "observed_by",
    "content_id",
    "times_observed",
    "first_observed_at",
    "last_observed_at",
    "first_received_at",
}
NOT_IN_CRM_LEADS = {"reference_key", "recording_url", "talk_seconds", "wait_seconds"}
RECORDING_COLUMNS = ("lead_id", "recording_url", "talk_seconds", "wait_seconds", "agent_id")

SEEN_COLUMNS = {
    "first_seen_at": "When it was first seen, UTC.",
    "updated_at": "When it last showed something new, UTC.",
}
ASSIGNMENT_COLUMNS = {
    "property_ref": "The brokerage's property that the lead is about.",
    "agent_id": "The agent who gets the lead; missing if nobody does.",
    "assignment_rule": "listing_reference, portal_agent, portal_listing or unassigned; manual once "
    "a person chose.",
    "assignment_reason": "Why this agent, or why none.",
}


def observation_schema() -> dg.TableSchema:
    """The columns of validated leads, from the pandera model's own descriptions."""
    columns = Observation.to_schema().columns
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type=_plain_type(str(column.dtype)),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for name, column in columns.items()
        ]
    )


def assigned_schema() -> dg.TableSchema:
    """The columns of assigned leads: a lead's own, and the assignment."""
    own = [column for column in observation_schema().columns if column.name not in OBSERVATION_ONLY]
    seen = _columns(SEEN_COLUMNS, "timestamp")
    return dg.TableSchema([*own, *seen, *_columns(ASSIGNMENT_COLUMNS)])


def crm_leads_schema() -> dg.TableSchema:
    """The columns of ``crm.leads``: those of an assigned lead, but for the call's recording."""
    kept = [column for column in assigned_schema().columns if column.name not in NOT_IN_CRM_LEADS]
    since = _columns({"assigned_at": "Since when the agent has it, UTC."}, "timestamp")
    return dg.TableSchema([*kept, *since])


def recordings_schema() -> dg.TableSchema:
    """The columns of ``crm.call_recordings``."""
    known = {column.name: column for column in assigned_schema().columns}
    first_seen = _columns({"first_seen_at": "When the recording was first seen, UTC."}, "timestamp")
    return dg.TableSchema([*(known[name] for name in RECORDING_COLUMNS), *first_seen])


def described_schema(frame: pd.DataFrame, descriptions: Mapping[str, str]) -> dg.TableSchema:
    """The columns that a frame has; described where there is a description."""
    return dg.TableSchema(
        [
            dg.TableColumn(name, _plain_type(str(frame[name].dtype)), descriptions.get(name))
            for name in map(str, frame.columns)
        ]
    )


def text_columns(descriptions: Mapping[str, str]) -> dg.TableSchema:
    """A schema of text columns, from their descriptions."""
    return dg.TableSchema(_columns(descriptions))


def data_version(frame: pd.DataFrame) -> dg.DataVersion:
    """The same for the same rows in whatever order, so that Dagster sees whether anything changed.

    Without it, each reading of unchanged properties would mark every assigned day as out of date.
    """
    rows = np.sort(pd.util.hash_pandas_object(frame, index=False).to_numpy())
    columns = "\n".join(frame.columns).encode()
    return dg.DataVersion(hashlib.sha256(columns + rows.tobytes()).hexdigest()[:16])


def load_counts(loaded: Loaded) -> dict[str, int]:
    """What a load changed. Counts of the whole run: its days are loaded together."""
    return {
        "rows_inserted_in_run": loaded.inserted,
        "rows_updated_in_run": loaded.updated,
        "rows_unchanged_in_run": loaded.unchanged,
    }


def instant(when: datetime) -> str:
    """An aware instant for people, in UTC like the partitions."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def where_stored(manifest: Manifest) -> dg.MarkdownMetadataValue:
    """The sweeps whose folders hold a sweep's pages: its own, and earlier ones with the same."""
    sweeps: dict[str, list[StoredPage]] = {}
    for page in manifest.pages:
        sweeps.setdefault(page.file.partition("/")[0].removeprefix("sweep="), []).append(page)
    return markdown_table(
        ["sweep", "pages", "records"],
        [
            [sweep, str(len(pages)), str(sum(page.records_of_day for page in pages))]
            for sweep, pages in sweeps.items()
        ],
    )


def preview(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows, in the columns that hold no personal data and are not all empty."""
    first = frame[[name for name in PREVIEW_COLUMNS if name in frame.columns]].head(PREVIEW_ROWS)
    shown = first.dropna(axis="columns", how="all")
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    return markdown_table([HEADINGS.get(name, name) for name in shown.columns], rows)


def counted(
    counts: Mapping[str, int], heading: str, *, of: str = "leads"
) -> dg.MarkdownMetadataValue:
    """Counts by some key, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return markdown_table([heading, of], [[_cell(key), str(count)] for key, count in ordered])


def markdown_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]]
) -> dg.MarkdownMetadataValue:
    """A Markdown table; "none" where there are no rows."""
    rows = list(rows)
    if not rows:
        return dg.MetadataValue.md("none")
    lines = [headings, ["---"] * len(headings), *rows]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _columns(descriptions: Mapping[str, str], kind: str = "text") -> list[dg.TableColumn]:
    return [dg.TableColumn(name, kind, text) for name, text in descriptions.items()]


def _plain_type(dtype: str) -> str:
    begins = (plain for begin, plain in PLAIN_TYPES.items() if dtype.lower().startswith(begin))
    return next(begins, dtype)


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, pd.Timestamp):
        return value.strftime("%H:%M:%S")
    return str(value).replace("|", "\\|").replace("\n", " ")
