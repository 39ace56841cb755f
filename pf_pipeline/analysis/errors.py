"""What can be wrong with a question to the CRM, in one sentence that says what to do."""

from pf_pipeline.crm import CrmError


class QueryError(CrmError):
    """A question to the CRM cannot be answered; the message is one sentence."""
