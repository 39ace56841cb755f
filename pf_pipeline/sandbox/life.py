"""How a lead changes after its creation: it surfaces, its status moves, an agent hands it over.

Belongs here: the stages of a lead's life, a pure function of the seed and the lead. The last stage
is the lead as ``leads_of_day`` invented it, so that nothing depends on when one stops to look.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from pf_pipeline.sandbox.lead import SandboxLead, Status
from pf_pipeline.sandbox.options import SandboxOptions
from pf_pipeline.sandbox.people import ADVERTISERS

LONGEST_LIFE: Final = timedelta(days=2)
"""How long after its creation a lead may still change."""
LATEST_SURFACING: Final = timedelta(minutes=170)
"""How long after its creation a lead may first be served: less than the 180 minutes that
integrations read again (reference, section 3)."""

_STEPS: Final[tuple[Status, ...]] = ("sent", "delivered", "read", "replied")
_STEP_SECONDS: Final[dict[Status, tuple[int, int]]] = {
    "delivered": (20, 1800),
    "read": (60, 6 * 3600),
    "replied": (60, 12 * 3600),
    "archived": (3600, 6 * 3600),
}
"""How long a message waits for each status: least and most, in whole seconds."""
_EARLIEST_RECORDING: Final = timedelta(minutes=2)
_HANDED_OVER_SHARE: Final = 0.08
"""How many messages reach their agent only later: from another one, or from nobody."""
_HAND_OVER_SECONDS: Final = (30, 3 * 3600)


@dataclass(frozen=True, slots=True)
class Stage:
    """A lead for a while.

    Attributes:
        since: When it became so, in UTC and whole seconds.
        lead: What the portal says of it from then on.
    """

    since: datetime
    lead: SandboxLead


Life = tuple[Stage, ...]
"""The stages of a lead, in order; before the first one the portal does not show it."""


def life_of(lead: SandboxLead, options: SandboxOptions) -> Life:
    """The life of a lead, as the options want it."""
    rng = Random(f"{options.seed}:{lead.lead_id}:life")  # noqa: S311 - invents, protects nothing
    surfaces = _surfacing(rng, lead, options.late_share)
    stages = [Stage(lead.created_at, lead)]
    if options.leads_change:
        stages = _handed_over(rng, list(_stages(rng, lead)))
    hidden = [stage for stage in stages if stage.since <= surfaces]
    return (Stage(surfaces, hidden[-1].lead), *stages[len(hidden) :])


def at(life: Life, now: datetime) -> SandboxLead | None:
    """What the portal says of a lead at an instant; ``None`` before it surfaces."""
    return next((stage.lead for stage in reversed(life) if stage.since <= now), None)


def _surfacing(rng: Random, lead: SandboxLead, late_share: float) -> datetime:
    late, delay = rng.random(), rng.random()
    if late >= late_share:
        return lead.created_at
    return lead.created_at + timedelta(
        seconds=1 + int(delay * (LATEST_SURFACING.total_seconds() - 1))
    )


def _stages(rng: Random, lead: SandboxLead) -> Iterator[Stage]:
    if lead.call is not None and lead.call.recording == "recorded":
        earliest = _EARLIEST_RECORDING.total_seconds()
        latest = LONGEST_LIFE.total_seconds()
        # Most are there within the hour; some take days.
        delay = int(earliest * (latest / earliest) ** rng.random())
        yield Stage(lead.created_at, replace(lead, call=replace(lead.call, recording="none")))
        yield Stage(lead.created_at + timedelta(seconds=delay), lead)
        return
    if lead.call is not None:
        yield Stage(lead.created_at, lead)
        return
    since = lead.created_at
    for status in _statuses_until(lead.status):
        if status != "sent":
            least, most = _STEP_SECONDS[status]
            since += timedelta(seconds=rng.randint(least, most))
        yield Stage(since, replace(lead, status=status))


def _handed_over(rng: Random, stages: list[Stage]) -> list[Stage]:
    """The stages of a message, perhaps with somebody else as its agent at first.

    A call has the agent who was called.
    """
    first, last = stages[0], stages[-1].lead
    hands_over, earlier = rng.random() < _HANDED_OVER_SHARE, rng.choice((None, *ADVERTISERS))
    instant = first.since + timedelta(seconds=rng.randint(*_HAND_OVER_SECONDS))
    if not hands_over or last.call is not None or last.agent in (None, earlier):
        return stages
    before = [
        Stage(stage.since, replace(stage.lead, agent=earlier))
        for stage in stages
        if stage.since < instant
    ]
    taken_over = Stage(instant, replace(before[-1].lead, agent=last.agent))
    return [*before, taken_over, *(stage for stage in stages if stage.since > instant)]


def _statuses_until(last: Status) -> tuple[Status, ...]:
    """All statuses of a message up to its last; a status outside of the usual steps ends them."""
    if last in _STEPS:
        return _STEPS[: _STEPS.index(last) + 1]
    return (*_STEPS[:2], last)
