"""Puts the definitions together; tests and the command line replace single resources."""

from collections.abc import Mapping

import dagster as dg

from pf_pipeline.orchestration.checks import ALL_CHECKS
from pf_pipeline.orchestration.housekeeping import housekeeping_job, housekeeping_schedule
from pf_pipeline.orchestration.jobs import (
    leads_job,
    nightly_schedule,
    poll_schedule,
    recordings_schedule,
)
from pf_pipeline.orchestration.lead_assets import (
    assigned_leads,
    call_recordings,
    crm_leads,
    raw_leads,
    raw_webhook_events,
    validated_leads,
)
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.portal_assets import portal_listings, portal_users
from pf_pipeline.orchestration.reference_assets import agents, properties
from pf_pipeline.orchestration.report_assets import lead_report
from pf_pipeline.orchestration.sensors import failed_run_sensor
from pf_pipeline.orchestration.unloaded_days_sensor import unloaded_days_sensor
from pf_pipeline.settings import load_settings


@dg.resource(description="The steps over the places that the PF_* settings name.")
def pipeline_from_settings() -> Pipeline:
    """Read the settings when a run starts, not when the code is loaded."""
    return Pipeline(load_settings())


def build_definitions(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions.

    Args:
        resource_overrides: Resources by key, in the place of the usual ones; the one there is is
            ``pipeline``, a :class:`~pf_pipeline.orchestration.pipeline.Pipeline`.
    """
    return dg.Definitions(
        assets=[
            raw_leads,
            raw_webhook_events,
            validated_leads,
            properties,
            agents,
            portal_users,
            portal_listings,
            assigned_leads,
            crm_leads,
            call_recordings,
            lead_report,
        ],
        asset_checks=ALL_CHECKS,
        jobs=[leads_job, housekeeping_job],
        schedules=[poll_schedule, recordings_schedule, nightly_schedule, housekeeping_schedule],
        sensors=[failed_run_sensor, unloaded_days_sensor],
        resources={"pipeline": pipeline_from_settings, **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )
