"""What can go wrong at the portal, sorted by what the caller does next.

Only the error classes live here. Every message is one sentence that says what went wrong, where
(host and path) and what to do; none holds a token, a key or anything about a lead.
"""


class PortalError(Exception):
    """The portal did not give what was asked for."""


class TransientPortalError(PortalError):
    """It may work later: the caller tries again.

    Attributes:
        retry_after: The seconds that the portal asked to wait, or None when it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentPortalError(PortalError):
    """Nothing helps until a person acts (a wrong key, a missing scope): stop at once.

    Attributes:
        status: The HTTP status of the refusal, or None where none was received.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PortalSettingsError(PermanentPortalError):
    """Nothing was sent, because a setting is missing or cannot be used."""


class PortalDataError(PortalError):
    """The portal answered, but not with leads: nothing may be stored.

    An HTML page from a CDN or a truncated body is often gone a moment later, so the client asks
    again a bounded number of times before it raises this.
    """


class StoppedError(PortalError):
    """Nobody waits for the answer any more: the walk that wanted it, or the client, was closed."""

    def __init__(self) -> None:
        super().__init__("The request was given up, because nobody waits for its answer any more.")
