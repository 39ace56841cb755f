"""Turns the rooms' one-sentence errors into Dagster failures, retried only where that can help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pf_pipeline.archive.inbox import InboxError
from pf_pipeline.crm import CrmAddressError, CrmError, ReferenceDataError
from pf_pipeline.portal import PermanentPortalError, PortalError
from pf_pipeline.settings import SettingsError

RETRIES = 2
SECONDS_BETWEEN = 20.0
"""For a portal or CRM that is away for longer than the client's own retries bridge."""


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Fail the step with the error's own sentence.

    A person must act on settings, reference data and what the portal refuses for good: those are
    not retried. The rest (a portal that is away, a CRM that is busy) may pass and is tried again.
    A ``RetryPolicy`` is no help here: Dagster applies it to a run that a person terminates, too.
    """
    try:
        yield
    except (SettingsError, ReferenceDataError, PermanentPortalError, CrmAddressError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except (PortalError, CrmError, InboxError) as error:
        raise dg.RetryRequested(RETRIES, SECONDS_BETWEEN) from error
    except (FileNotFoundError, ValueError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def sentence_of(step_failure: dg.DagsterEvent) -> str:
    """The words of the error that made a step fail, without the frames around it."""
    data = step_failure.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return "The step failed; see the Dagster UI."
    return error.message.strip().partition(": ")[2] or error.message.strip()


def was_interrupted(step_failure: dg.DagsterEvent) -> bool:
    """Whether a step ended because a person ended the run."""
    error = step_failure.step_failure_data.error
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"
