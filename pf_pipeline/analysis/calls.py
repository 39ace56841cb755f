"""Calls: whether they are answered, how long they last, and how many are recorded.

Of a call the portal's status says whether somebody answered: ``replied``, or ``delivered`` for a
missed one. Only the atlas dialect tells statuses and talk times.
"""

from collections.abc import Sequence

import pandas as pd

CALL, ANSWERED, MISSED = "call", "replied", "delivered"
SECONDS_A_MINUTE = 60.0


def answered_calls(leads: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """How many calls were answered, altogether or for each agent, hour and so on.

    Args:
        leads: ``channel``, ``status`` and the columns to tell apart.
        by: Those columns; without any, one row tells of all.

    Returns:
        The columns of ``by``, then ``calls``, ``answered`` and ``missed`` (counts; the rest has
        another status) and ``answered_rate`` (answered of all calls, 0 to 1). Calls without any
        status, as the guide dialect has them, are left out.
    """
    calls = leads[(leads["channel"] == CALL) & leads["status"].notna()]
    found = _totals(
        calls.assign(
            calls=1,
            answered=(calls["status"] == ANSWERED).astype("int64"),
            missed=(calls["status"] == MISSED).astype("int64"),
        ),
        ["calls", "answered", "missed"],
        by,
    )
    return found.assign(answered_rate=found["answered"] / found["calls"])


def missed_calls(leads: pd.DataFrame) -> pd.DataFrame:
    """The calls that nobody answered, the latest first: a list to call back.

    Args:
        leads: ``channel``, ``status``, ``created_at``, ``lead_id``, and further columns.
    """
    missed = leads[(leads["channel"] == CALL) & (leads["status"] == MISSED)]
    return missed.sort_values(["created_at", "lead_id"], ascending=False, ignore_index=True)


def talk_time(recordings: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """How long recorded calls last, and how long the callers waited.

    Args:
        recordings: ``crm.call_recordings``: ``talk_seconds``, ``wait_seconds`` (missing where the
            portal does not tell), and the columns to tell apart.
        by: Those columns; without any, one row tells of all.

    Returns:
        The columns of ``by``, then ``recordings`` (a count), ``talk_minutes`` (the sum), and
        ``median_talk_seconds`` and ``median_wait_seconds`` (missing where none is known).
    """
    known = recordings.astype({"talk_seconds": "float64", "wait_seconds": "float64"})
    groups = known.groupby(_keys(known, by), dropna=False, observed=True)
    figures = pd.DataFrame(
        {
            "recordings": groups.size(),
            "talk_minutes": groups["talk_seconds"].sum() / SECONDS_A_MINUTE,
            "median_talk_seconds": groups["talk_seconds"].median(),
            "median_wait_seconds": groups["wait_seconds"].median(),
        }
    )
    return figures.reset_index(drop=not by)


def recordings_coverage(
    leads: pd.DataFrame, recordings: pd.DataFrame, by: Sequence[str] = ()
) -> pd.DataFrame:
    """How many of the calls that can have a recording do have one.

    Args:
        leads: ``lead_id``, ``channel``, ``status`` and the columns to tell apart.
        recordings: ``lead_id``.
        by: Those columns; without any, one row tells of all.

    Returns:
        The columns of ``by``, then ``calls`` (all but the missed ones, which nobody could record),
        ``recorded`` (counts) and ``coverage`` (0 to 1).
    """
    calls = leads[(leads["channel"] == CALL) & (leads["status"].fillna("") != MISSED)]
    recorded = calls["lead_id"].isin(recordings["lead_id"])
    found = _totals(
        calls.assign(calls=1, recorded=recorded.astype("int64")), ["calls", "recorded"], by
    )
    return found.assign(coverage=found["recorded"] / found["calls"])


def _totals(rows: pd.DataFrame, counts: list[str], by: Sequence[str]) -> pd.DataFrame:
    groups = rows.groupby(_keys(rows, by), dropna=False, observed=True)
    return groups[counts].sum().reset_index(drop=not by)


def _keys(rows: pd.DataFrame, by: Sequence[str]) -> list[pd.Series]:
    """What to group by; without columns all rows are one group."""
    return [rows[name] for name in by] or [pd.Series(0, index=rows.index)]
