"""The page that tells the manager how leads are answered."""

from typing import Any

import dagster as dg

from pf_pipeline.analysis import read_crm
from pf_pipeline.analysis.report import REPORT_DAYS, key_figures, report_page
from pf_pipeline.archive.files import make_folder, write_atomically
from pf_pipeline.orchestration.failures import failing_clearly
from pf_pipeline.orchestration.lead_assets import OWNERS, call_recordings, crm_leads
from pf_pipeline.orchestration.pipeline import Pipeline


@dg.asset(
    deps=[crm_leads, call_recordings],
    group_name="reports",
    kinds={"html"},
    owners=OWNERS,
)
def lead_report(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[Any]:
    """How leads are answered, for managers: one HTML page a day, without personal data.

    Response times and calls by agent, leads that nobody works on, when leads come, and for what.
    Of the last 28 days that have leads. Made every night, and after each backfill.
    """
    with failing_clearly():
        crm = read_crm(settings=pipeline.settings)
    page = report_page(crm, pipeline.now())
    day = pipeline.now().astimezone(pipeline.settings.timezone).date()
    path = pipeline.settings.data_dir.resolve() / "reports" / f"lead-report-{day}.html"
    make_folder(path.parent)
    write_atomically(path, page.encode())
    return dg.MaterializeResult(
        metadata={"report": dg.MetadataValue.path(path), **key_figures(crm.latest(REPORT_DAYS))}
    )
