"""Bringing listings and people into the CRM for those who need them before any run."""

from pf_pipeline.orchestration.origin import check_own_people
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.settings import Settings


def bring_reference_data(settings: Settings) -> None:
    """Bring the properties and agents of the settings into the CRM, as every run does.

    Raises:
        ReferenceDataError: A file is missing or wrong; the CRM keeps what it holds.
        SettingsError: The portal is real, and the files are the sandbox's.
        CrmError: The CRM cannot be opened.
    """
    check_own_people(settings)
    pipeline = Pipeline(settings)
    pipeline.refresh_properties()
    pipeline.refresh_agents()
