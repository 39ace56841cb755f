"""Turns the rooms' one-sentence errors into Dagster failures, retried only where that can help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pf_pipeline.crm import CrmError, ReferenceDataError
from pf_pipeline.portal import PermanentPortalError, PortalError
from pf_pipeline.settings import SettingsError


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Fail the step with the error's own sentence.

    A person must act on settings, reference data and what the portal refuses for good: those are
    not retried. The rest (a portal that is away, a CRM that is busy) may pass.
    """
    try:
        yield
    except (SettingsError, ReferenceDataError, PermanentPortalError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except (PortalError, CrmError) as error:
        raise dg.Failure(str(error), allow_retries=True) from error
    except (FileNotFoundError, ValueError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
