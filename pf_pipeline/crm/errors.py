"""What can be wrong with the CRM, in one sentence that says what to do."""


class CrmError(Exception):
    """The CRM cannot be opened or written; the message is one sentence."""


class CrmBusyError(CrmError):
    """Somebody else has the CRM open; it may be tried again."""


class CrmAddressError(CrmError):
    """The address of the CRM is of no known kind."""


class ReferenceDataError(Exception):
    """The properties or agents cannot be read; the message is one sentence."""
