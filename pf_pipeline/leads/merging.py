"""The merge law: one lead from all that was observed of it.

The law itself is ``merge_law.sql``, which the CRM runs over its own tables; here it runs over a
frame, for staged files, tests and notebooks.
"""

from importlib.resources import files

import pandas as pd

from pf_pipeline.leads.frames import select

MERGE_LAW = files(__package__).joinpath("merge_law.sql").read_text(encoding="utf-8")


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
