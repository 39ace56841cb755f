"""How many leads: by day, channel, hour and weekday, listing and agent, and who asks again.

Pure functions over frames as :func:`pf_pipeline.analysis.read_crm` gives them. Days and hours are
those of a time zone that is named, because a day in Dubai is another one than in UTC.
"""

import pandas as pd

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = range(24)
LEAST_SAMPLE = 10
"""Figures about fewer leads say more about chance than about anybody."""
ONE_DAY, ONE_WEEK = pd.Timedelta(days=1), pd.Timedelta(days=7)


def leads_by_day(leads: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """Count the leads of each day.

    Args:
        leads: ``created_at``.
        timezone: Whose days, such as ``Asia/Dubai``.

    Returns:
        ``day`` (the day's date as a timestamp without zone) and ``leads`` (a count), every day
        from the first lead's to the last one's, in order, also those without any.
    """
    counts = local_days(leads["created_at"], timezone).value_counts()
    if counts.empty:
        return pd.DataFrame({"day": pd.Series(dtype="datetime64[us]"), "leads": _counts([])})
    days = pd.date_range(counts.index.min(), counts.index.max(), name="day").as_unit("us")
    return counts.reindex(days, fill_value=0).rename("leads").reset_index()


def leads_by_channel(leads: pd.DataFrame) -> pd.DataFrame:
    """Count the leads of each channel.

    Args:
        leads: ``channel``.

    Returns:
        ``channel``, ``leads`` (a count) and ``share`` (of all leads, 0 to 1), the largest first.
    """
    return _counted(leads, "channel")


def leads_by_hour_and_weekday(leads: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """Count the leads of each hour of the week, as clocks in a time zone show it.

    Args:
        leads: ``created_at``.
        timezone: Whose hours, such as ``Asia/Dubai``.

    Returns:
        168 rows: ``weekday`` (0 is Monday), ``hour`` (0 to 23) and ``leads`` (a count).
    """
    local = leads["created_at"].dt.tz_convert(timezone).dt
    counts = pd.DataFrame({"weekday": local.day_of_week, "hour": local.hour}).value_counts()
    week = pd.MultiIndex.from_product([range(len(WEEKDAYS)), HOURS], names=["weekday", "hour"])
    return counts.reindex(week, fill_value=0).rename("leads").reset_index()


def leads_by_listing(leads: pd.DataFrame) -> pd.DataFrame:
    """Count the leads of each listing, by the brokerage's reference.

    Args:
        leads: ``property_ref`` (missing where no property has the lead's reference).

    Returns:
        ``property_ref``, ``leads`` (a count) and ``share`` (of the leads of known listings, 0 to
        1), the largest first. Leads of no known listing are left out.
    """
    return _counted(leads[leads["property_ref"].notna()], "property_ref")


def leads_by_agent(leads: pd.DataFrame) -> pd.DataFrame:
    """Count the leads that each agent has.

    Args:
        leads: ``agent_id`` (missing where nobody has the lead).

    Returns:
        ``agent_id``, ``leads`` (a count) and ``share`` (of all leads, 0 to 1), the largest first;
        a row with a missing ``agent_id`` for leads that nobody has, if there are any.
    """
    return _counted(leads, "agent_id")


def leads_per_listing_week(
    leads: pd.DataFrame, properties: pd.DataFrame, timezone: str
) -> pd.DataFrame:
    """How many leads a listing gets in a week: the demand, whatever the number of listings.

    Args:
        leads: ``created_at`` and ``property_ref``.
        properties: ``internal_ref`` of all listings, as they are today.
        timezone: Whose weeks, such as ``Asia/Dubai``.

    Returns:
        ``week`` (the date of its Monday), ``leads`` (of known listings), ``days`` (how many days
        of the week lie between the first and the last lead: 7 but for the ends) and
        ``leads_per_listing`` (leads a listing and 7 days; missing without listings).
    """
    known = leads[leads["property_ref"].isin(properties["internal_ref"])]
    days = leads_by_day(leads, timezone)["day"]
    weeks = (days - pd.to_timedelta(days.dt.day_of_week, unit="D")).value_counts().sort_index()
    local = local_days(known["created_at"], timezone)
    counts = (local - pd.to_timedelta(local.dt.day_of_week, unit="D")).value_counts()
    listings = properties["internal_ref"].nunique()
    found = pd.DataFrame(
        {
            "week": weeks.index,
            "leads": counts.reindex(weeks.index, fill_value=0).to_numpy(),
            "days": weeks.to_numpy(),
        }
    )
    rate = found["leads"] / found["days"] * len(WEEKDAYS) / listings if listings else float("nan")
    return found.assign(leads_per_listing=rate)


def repeat_inquirers(leads: pd.DataFrame) -> pd.DataFrame:
    """People who asked more than once: known by phone, or by email where there is no phone.

    Args:
        leads: ``phone_e164``, ``email``, ``property_ref``, ``agent_id`` and ``created_at``. Masked
            phones and emails do as well: equal ones stay equal.

    Returns:
        ``person`` (the phone or email as it came in), ``leads``, ``listings`` and ``agents``
        (counts of different ones), ``first_at`` and ``last_at`` (instants); the most leads first.
    """
    known = leads.assign(person=leads["phone_e164"].fillna(leads["email"]))
    again = known[known["person"].notna() & known["person"].duplicated(keep=False)]
    found = again.groupby("person", as_index=False).agg(
        leads=("created_at", "size"),
        listings=("property_ref", "nunique"),
        agents=("agent_id", "nunique"),
        first_at=("created_at", "min"),
        last_at=("created_at", "max"),
    )
    return found.sort_values(["leads", "person"], ascending=[False, True], ignore_index=True)


def hide_small_samples(
    figures: pd.DataFrame, counted: str = "leads", least: int = LEAST_SAMPLE
) -> pd.DataFrame:
    """Leave out the rows that stand on too few leads.

    Args:
        figures: Rows with a count.
        counted: The count's column.
        least: So many are enough.
    """
    return figures[figures[counted] >= least].reset_index(drop=True)


def local_days(instants: pd.Series, timezone: str) -> pd.Series:
    """The days of instants in a time zone, as timestamps without zone.

    Without it, because where clocks go forward at midnight a day has no midnight (Cairo).
    """
    days: pd.Series = instants.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
    return days


def _counted(leads: pd.DataFrame, column: str) -> pd.DataFrame:
    counts = leads[column].value_counts(dropna=False).rename("leads").reset_index()
    ordered = counts.sort_values(["leads", column], ascending=[False, True], ignore_index=True)
    return ordered.assign(share=ordered["leads"] / max(len(leads), 1))


def _counts(values: list[int]) -> pd.Series:
    return pd.Series(values, dtype="int64")
