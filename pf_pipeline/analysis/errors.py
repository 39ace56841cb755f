"""What can be wrong with a question to the CRM, in one sentence that says what to do."""


class QueryError(Exception):
    """A question to the CRM cannot be answered; the message is one sentence."""
