"""The merge law: one lead from all that was observed of it.

The law itself is ``merge_law.sql`` and ``merge_law_once.sql``, which the CRM runs over its own
tables; here they run over a frame, for staged files, tests and notebooks.
"""

from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select

_SEEN_OFTEN, MERGE_LAW_ONCE = (
    files(__package__).joinpath(name).read_text(encoding="utf-8")
    for name in ("merge_law.sql", "merge_law_once.sql")
)
MERGE_LAW = f"""
{_SEEN_OFTEN}
UNION ALL BY NAME
{MERGE_LAW_ONCE}
ANTI JOIN seen_often USING (lead_id)
"""
"""One lead from all of its ``observations``, for any number of leads."""


def merge_observations(observations: pd.DataFrame) -> pd.DataFrame:
    """One row a lead from any set of observations, in any order, repeated any number of times.

    Args:
        observations: Columns of :class:`~pf_pipeline.leads.schema.Observation`. The same contents
            may stand in several rows, seen at different instants.

    Returns:
        One row a lead, ordered by creation and id, with ``first_seen_at`` (the first instant at
        which it was seen) and ``updated_at`` (the last instant that showed something new).
    """
    return select(
        f"SELECT * FROM ({MERGE_LAW}) ORDER BY created_at, lead_id",
        observations=observations.drop(columns="times_observed"),
    )
