"""When to ask again, and how long to wait before (law 6: back off with jitter)."""

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from pf_pipeline.portal.errors import PortalDataError, TransientPortalError
from pf_pipeline.portal.stopping import Stop

_LONGEST_RETRY_AFTER = 120.0
# Full jitter: somewhere between nothing and 2, 4, 8, ... 60 seconds.
_BACK_OFF = wait_random_exponential(multiplier=2, max=60)

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Retries:
    """Repeats an operation while its failures may pass; threads may share it."""

    def __init__(self, attempts: int, *, sleep: Callable[[float], None] | None = None) -> None:
        """Set the bound.

        Args:
            attempts: How often an operation is tried in all, at least 1.
            sleep: Waits that many seconds; None waits until the operation is stopped.
        """
        self._sleep = sleep
        self._attempts = attempts
        self._retrying = Retrying(
            stop=stop_after_attempt(attempts),
            wait=_wait,
            retry=retry_if_exception_type((TransientPortalError, PortalDataError)),
            before_sleep=self._warn,
            retry_error_callback=self._give_up,
        )

    def __call__(self, operation: Callable[[], _Result], stop: Stop) -> _Result:
        """Run an operation until it succeeds, fails for good, or the attempts are used up.

        Raises:
            PortalError: The failure of the last attempt.
            StoppedError: It was stopped between two attempts.
        """
        return self._retrying.copy(sleep=self._sleep or stop.pause)(operation)

    def _warn(self, state: RetryCallState) -> None:
        _log.warning(
            "%s Attempt %d of %d; the next in %.1f s.",
            _failure(state),
            state.attempt_number,
            self._attempts,
            state.upcoming_sleep,
        )

    def _give_up(self, state: RetryCallState) -> None:
        failure = _failure(state)
        if state.attempt_number > 1:
            sentence = str(failure).removesuffix(".")
            failure.args = (f"{sentence} (gave up after {state.attempt_number} attempts).",)
        raise failure


def _failure(state: RetryCallState) -> BaseException:
    failure = state.outcome.exception() if state.outcome else None
    if failure is None:
        raise RuntimeError("Nothing failed.")
    return failure


def _wait(state: RetryCallState) -> float:
    asked = getattr(_failure(state), "retry_after", None) or 0.0
    return min(asked, _LONGEST_RETRY_AFTER) + _BACK_OFF(state)
