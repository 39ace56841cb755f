"""The errors that end a command with their own words, and with which exit status."""

from pf_pipeline.archive.inbox import InboxError
from pf_pipeline.commands.backfill import BackfillError
from pf_pipeline.commands.ui import UiError
from pf_pipeline.crm import CrmAddressError, CrmError, ReferenceDataError
from pf_pipeline.orchestration.rebuilding import RebuildError
from pf_pipeline.portal import PortalError, PortalSettingsError
from pf_pipeline.receiver import ReceiverError
from pf_pipeline.settings import SettingsError

WRONG_SETTINGS = (SettingsError, ReferenceDataError, PortalSettingsError, CrmAddressError)
EXPECTED_ERRORS = (
    BackfillError,
    UiError,
    CrmError,
    InboxError,
    PortalError,
    ReceiverError,
    RebuildError,
)
