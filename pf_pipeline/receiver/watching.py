"""How the receiver is: what ``/readyz`` and ``/metrics`` say."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pf_pipeline.archive.inbox import Inbox, InboxError
from pf_pipeline.receiver.loader_process import LoaderProcess
from pf_pipeline.receiver.metrics import Metrics
from pf_pipeline.receiver.writer import GroupCommit

OLDEST_BACKLOG = timedelta(minutes=2)
"""How long a delivery may wait for the CRM before somebody should look."""


class Watch:
    """Looks at the receiver's parts; takes its time, so not in the event loop."""

    def __init__(
        self,
        inbox: Inbox,
        commits: GroupCommit,
        loader: LoaderProcess,
        metrics: Metrics,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Watch the parts of a receiver.

        Args:
            inbox: Opened for this alone, so that nobody waits for anybody.
            commits: The writer.
            loader: The loader.
            metrics: The counters.
            now: The clock.
        """
        self._inbox = inbox
        self._commits = commits
        self._loader = loader
        self._metrics = metrics
        self._now = now

    def reasons_against(self) -> list[str]:
        """Why deliveries are not stored or not loaded; nothing when all is well."""
        reasons = []
        try:
            self._inbox.check_writable()
            _, age = self._backlog()
        except InboxError as error:
            return [str(error)]
        if self._commits.failing:
            reasons.append("The latest commit of the inbox failed.")
        if not self._loader.alive:
            reasons.append("The loader has ended.")
        if age > OLDEST_BACKLOG:
            reasons.append(
                f"A delivery has waited for the CRM for {age.total_seconds():.0f} s: the log says "
                "why."
            )
        return reasons

    def metrics_text(self) -> bytes:
        """The counters, with what is looked up at this moment."""
        metrics = self._metrics
        metrics.waiting.set(self._commits.waiting)
        try:
            depth, age = self._backlog()
            metrics.backlog.set(depth)
            metrics.backlog_seconds.set(age.total_seconds())
            metrics.unarchived.set(self._inbox.counts().unarchived)
        except InboxError:
            # The inbox cannot be read: an old figure would look as if it could.
            for gauge in (metrics.backlog, metrics.backlog_seconds, metrics.unarchived):
                gauge.set(float("nan"))
        return metrics.text()

    def _backlog(self) -> tuple[int, timedelta]:
        """How many deliveries wait for the CRM, and for how long the oldest has."""
        position = self._loader.position or 0
        waiting = self._inbox.after(position, 1)
        if not waiting:
            return 0, timedelta(0)
        # Counted by numbers: those that the archive has and that were removed are older.
        depth = self._inbox.last_number - waiting[0].number + 1
        return depth, max(self._now() - waiting[0].received_at, timedelta(0))
