"""The CRM's own listings and people, which decide who gets a lead."""

from typing import Any

import dagster as dg

from pf_pipeline.orchestration import metadata
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.lead_assets import OWNERS
from pf_pipeline.orchestration.pipeline import Pipeline

PROPERTY_COLUMNS = metadata.text_columns(
    {
        "internal_ref": "The brokerage's reference, which it sent to the portal.",
        "agent_id": "The agent who owns the listing.",
    }
)
AGENT_COLUMNS = metadata.text_columns(
    {
        "agent_id": "The agent's id in the CRM.",
        "name": "The agent's name.",
        "email": "The agent's email.",
        "portal_user_id": "The agent's user id at the portal (guide).",
        "portal_profile_id": "The agent's public profile id at the portal (atlas).",
        "active": "Whether the agent receives leads.",
    }
)


@dg.asset(
    group_name="reference",
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    metadata={"dagster/column_schema": PROPERTY_COLUMNS},
)
def properties(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[Any]:
    """The brokerage's listings, from ``PF_PROPERTIES``. Unassigned leads are tried again."""
    with failing_clearly():
        newly_assigned = pipeline.refresh_properties()
        with pipeline.crm() as crm:
            rows = len(crm.properties())
    return dg.MaterializeResult(
        metadata={"dagster/row_count": rows, "leads_newly_assigned": newly_assigned}
    )


@dg.asset(
    group_name="reference",
    kinds={"csv", "duckdb"},
    owners=OWNERS,
    metadata={"dagster/column_schema": AGENT_COLUMNS},
)
def agents(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[Any]:
    """The brokerage's people, from ``PF_AGENTS``. Unassigned leads are tried again."""
    with failing_clearly():
        newly_assigned = pipeline.refresh_agents()
        with pipeline.crm() as crm:
            people = crm.agents()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(people),
            "active": int(people["active"].sum()),
            "leads_newly_assigned": newly_assigned,
        }
    )
