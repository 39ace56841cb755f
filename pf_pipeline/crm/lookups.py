"""The reference data as the CRM holds it, in the form that the assignment rules look up."""

import duckdb
import pyarrow as pa

from pf_pipeline.leads.assignment import ReferenceData
from pf_pipeline.leads.frames import frame_of, table_of
from pf_pipeline.leads.references import normalise_references

Tables = dict[str, pa.Table]

REFERENCE_TABLES = {
    "properties": """
        SELECT internal_ref::VARCHAR AS internal_ref, agent_id::VARCHAR AS agent_id
        FROM crm.properties
        WHERE internal_ref IS NOT NULL
    """,
    "agents": """
        SELECT
            agent_id::VARCHAR AS agent_id,
            email::VARCHAR AS email,
            portal_user_id::VARCHAR AS portal_user_id,
            portal_profile_id::VARCHAR AS portal_profile_id,
            coalesce(active::BOOLEAN, TRUE) AS active
        FROM crm.agents
        WHERE agent_id IS NOT NULL
    """,
    "portal_users": "SELECT * FROM pipeline.portal_users",
    "portal_listings": "SELECT * FROM pipeline.portal_listings",
}
"""People may have changed these tables by hand, and their types too."""

_latest: tuple[Tables, Tables] | None = None


def reference_data(connection: duckdb.DuckDBPyConnection) -> ReferenceData:
    """What the assignment rules decide by."""
    return _reference_data(_stored(connection))


def lookups(connection: duckdb.DuckDBPyConnection) -> Tables:
    """What the assignment rules look up, see :mod:`pf_pipeline.leads.ownership`.

    Made anew when the reference data is another one than at the last call.
    """
    global _latest  # noqa: PLW0603 - what is made of equal data is equal, whoever made it
    stored, known = _stored(connection), _latest
    if known is None or known[0] != stored:
        made = _reference_data(stored).lookups()
        known = stored, {name: table_of(frame) for name, frame in made.items()}
        _latest = known
    return known[1]


def _stored(connection: duckdb.DuckDBPyConnection) -> Tables:
    return {name: connection.sql(sql).to_arrow_table() for name, sql in REFERENCE_TABLES.items()}


def _reference_data(stored: Tables) -> ReferenceData:
    frames = {name: frame_of(table) for name, table in stored.items()}
    properties = frames.pop("properties")
    keys = normalise_references(properties["internal_ref"])
    return ReferenceData(properties.assign(reference_key=keys), **frames)
