"""The CRM's own listings and people, which decide who gets a lead."""

from typing import Any

import dagster as dg

from pf_pipeline.orchestration import metadata
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.lead_assets import OWNERS
from pf_pipeline.orchestration.pipeline import Pipeline

PROPERTY_COLUMNS = {
    "internal_ref": "The brokerage's reference, which it sent to the portal.",
    "agent_id": "The agent who owns the listing.",
}
AGENT_COLUMNS = {
    "agent_id": "The agent's id in the CRM.",
    "name": "The agent's name.",
    "email": "The agent's email.",
    "portal_user_id": "The agent's user id at the portal (guide).",
    "portal_profile_id": "The agent's public profile id at the portal (atlas).",
    "active": "Whether the agent receives leads.",
}


@dg.asset(
    group_name="reference",
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    metadata={
        "dagster/table_name": "crm.properties",
        "dagster/column_schema": metadata.text_columns(PROPERTY_COLUMNS),
    },
)
def properties(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[Any]:
    """The brokerage's listings, and who owns each.

    Read from the file that PF_PROPERTIES names. Then every unassigned lead in the CRM is tried
    again.
    """
    with failing_clearly():
        newly_assigned = pipeline.refresh_properties()
        with pipeline.crm() as crm:
            listings = crm.properties().drop(columns="reference_key")
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(listings),
            "dagster/column_schema": metadata.described_schema(listings, PROPERTY_COLUMNS),
            "leads_newly_assigned": newly_assigned,
        },
        data_version=metadata.data_version(listings),
    )


@dg.asset(
    group_name="reference",
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    metadata={
        "dagster/table_name": "crm.agents",
        "dagster/column_schema": metadata.text_columns(AGENT_COLUMNS),
    },
)
def agents(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[Any]:
    """The brokerage's people, who get the leads.

    Read from the file that PF_AGENTS names. Then every unassigned lead in the CRM is tried again.
    """
    with failing_clearly():
        newly_assigned = pipeline.refresh_agents()
        with pipeline.crm() as crm:
            people = crm.agents()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(people),
            "dagster/column_schema": metadata.described_schema(people, AGENT_COLUMNS),
            "active": int(people["active"].sum()),
            "leads_newly_assigned": newly_assigned,
        },
        data_version=metadata.data_version(people),
    )
