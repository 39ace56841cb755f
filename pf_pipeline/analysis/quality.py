"""What to mend: leads without an agent, references that no property has, and late arrivals."""

from datetime import datetime, timedelta

import pandas as pd

from pf_pipeline.leads.frames import select
from pf_pipeline.leads.references import normalise_references

WAYS = ("poll", "webhook")
MOST_REFERENCES = 200
"""So many references get a suggestion, those of the most leads: each is compared with all."""
LEAST_SIMILARITY = 0.6
"""Below it two references have nothing to do with each other."""

CLOSEST = """
SELECT
    asked.key AS key,
    arg_max(known.internal_ref, (similarity, -length(known.internal_ref), known.internal_ref))
        AS closest_reference,
    max(similarity) AS similarity
FROM asked
CROSS JOIN known,
LATERAL (
    SELECT
        1 - levenshtein(asked.key, known.key)
        / greatest(length(asked.key), length(known.key))::DOUBLE AS similarity
) AS compared
GROUP BY asked.key
"""


def unassigned_backlog(leads: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The leads that nobody has, by the reason, and how long the oldest has been waiting.

    Args:
        leads: ``agent_id``, ``assignment_reason`` and ``created_at``.
        now: The present.

    Returns:
        ``reason``, ``leads`` (a count), ``oldest_at`` (an instant) and ``days_waiting`` (of the
        oldest, a number); the most leads first.
    """
    unassigned = leads[leads["agent_id"].isna()]
    found = unassigned.groupby("assignment_reason", dropna=False, as_index=False).agg(
        leads=("created_at", "size"), oldest_at=("created_at", "min")
    )
    waiting = (pd.Timestamp(now) - found["oldest_at"]).dt.total_seconds()
    found["days_waiting"] = waiting / timedelta(days=1).total_seconds()
    return found.rename(columns={"assignment_reason": "reason"}).sort_values(
        ["leads", "reason"], ascending=[False, True], ignore_index=True
    )


def unmatched_references(
    leads: pd.DataFrame, properties: pd.DataFrame, most: int = MOST_REFERENCES
) -> pd.DataFrame:
    """References in leads that no property has, each with the most similar one that there is.

    Similar is what needs few letters changed: 1 - edits / length of the longer one, compared
    without case, blanks and invisible characters, as the assignment compares.

    Args:
        leads: ``listing_reference`` and ``property_ref``.
        properties: ``internal_ref``.
        most: How many references are told, those of the most leads.

    Returns:
        ``listing_reference``, ``leads`` (a count), ``closest_reference`` and ``similarity`` (0 to
        1), both missing where nothing is similar; the most leads first.
    """
    unmatched = leads[leads["listing_reference"].notna() & leads["property_ref"].isna()]
    counts = unmatched["listing_reference"].value_counts().rename("leads").reset_index()
    found = counts.sort_values(
        ["leads", "listing_reference"], ascending=[False, True], ignore_index=True
    ).head(most)
    found["key"] = normalise_references(found["listing_reference"])
    known = properties[["internal_ref"]].dropna().drop_duplicates()
    known["key"] = normalise_references(known["internal_ref"])
    closest = select(CLOSEST, asked=found[["key"]].dropna().drop_duplicates(), known=known.dropna())
    close = closest[closest["similarity"] >= LEAST_SIMILARITY]
    return found.merge(close, on="key", how="left").drop(columns="key")


def arrival_delays(
    observations: pd.DataFrame, within: timedelta = timedelta(days=1)
) -> pd.DataFrame:
    """How long after its creation a lead was first seen: by polls, and by webhooks.

    Args:
        observations: ``pipeline.lead_observations``: ``lead_id``, ``observed_by`` (``poll`` or
            ``webhook``), ``first_observed_at`` and ``created_at``.
        within: A lead that was seen later was brought in by a backfill, and is left out.

    Returns:
        ``observed_by``, both ways whether or not they are used, ``leads`` (a count), and
        ``median_seconds``, ``p90_seconds`` and ``p99_seconds`` (missing without leads).
    """
    first = observations.groupby(["observed_by", "lead_id"], as_index=False).agg(
        created_at=("created_at", "min"), first_at=("first_observed_at", "min")
    )
    delay = first["first_at"] - first["created_at"]
    seconds = first.assign(seconds=delay.dt.total_seconds())[delay <= within]
    groups = seconds.groupby("observed_by")["seconds"]
    figures = pd.DataFrame(
        {
            "leads": groups.size(),
            "median_seconds": groups.median(),
            "p90_seconds": groups.quantile(0.9),
            "p99_seconds": groups.quantile(0.99),
        }
    ).reindex([*WAYS])
    counted = figures.assign(leads=figures["leads"].fillna(0).astype("int64"))
    return counted.rename_axis("observed_by").reset_index()
