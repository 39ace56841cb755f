# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How many leads come, when, about what, and who has them?

# %% jupyter={"source_hidden": true}
from IPython.display import Markdown

from pf_pipeline.analysis import (
    WEEKDAYS,
    hide_small_samples,
    leads_by_agent,
    leads_by_channel,
    leads_by_day,
    leads_by_hour_and_weekday,
    leads_by_listing,
    leads_per_listing_week,
    read_crm,
)

from charts import bars, by_day, by_hour_and_weekday, draw_offline, line

draw_offline()
crm = read_crm(reveal=["agents.name"])  # the brokerage's own people; clients stay masked
leads, timezone = crm.leads, crm.timezone
names = crm.agents.set_index("agent_id")["name"]

days = leads_by_day(leads, timezone)
channels = leads_by_channel(leads)
week = leads_by_hour_and_weekday(leads, timezone)
agents = leads_by_agent(leads)
nobodys = int(leads["agent_id"].isna().sum())


# %% jupyter={"source_hidden": true}
def answer() -> str:
    """The overview in a few sentences."""
    if leads.empty:
        return "**The CRM has no leads yet.**"
    busiest = week.loc[week["leads"].idxmax()]
    weekday = WEEKDAYS[busiest["weekday"]]
    return (
        f"**{len(leads):,} leads** came from {days['day'].min():%d %B} to "
        f"{days['day'].max():%d %B %Y}: **{days['leads'].median():.0f} on a usual day**, "
        f"{channels['share'][0]:.0%} of them by {channels['channel'][0]}. The busiest hour is "
        f"{weekday} from {busiest['hour']}:00. **{nobodys:,} leads "
        f"({nobodys / len(leads):.0%}) have no agent.** Days and hours are those of {timezone}."
    )


Markdown(answer())

# %% [markdown]
# ## Leads a day

# %% jupyter={"source_hidden": true}
by_day(days, timezone)

# %% [markdown]
# ## When clients ask
# The darker, the more leads came in that hour over the whole time.

# %% jupyter={"source_hidden": true}
by_hour_and_weekday(week, timezone)

# %% [markdown]
# ## How they ask

# %% jupyter={"source_hidden": true}
bars(channels, "channel", "share", "share of all leads", form=".0%")

# %% [markdown]
# ## Who has the leads
# "nobody" are leads that no rule gave to an active agent; `04_data_quality` says why.

# %% jupyter={"source_hidden": true}
bars(
    hide_small_samples(agents).assign(name=lambda shown: shown["agent_id"].map(names)),
    "name",
    "leads",
    "leads (agents with fewer than 10 are left out)",
)

# %% [markdown]
# ## What they ask for
# The listings with the most leads, and the demand for all listings: leads a listing and week.

# %% jupyter={"source_hidden": true}
bars(
    hide_small_samples(leads_by_listing(leads)).head(12),
    "property_ref",
    "leads",
    "leads (listings with fewer than 10 are left out)",
)

# %% jupyter={"source_hidden": true}
line(
    leads_per_listing_week(leads, crm.properties, timezone).query("days >= 4"),
    "week",
    "leads_per_listing",
    f"week from Monday ({timezone})",
    "leads a listing and week",
)

# %% [markdown]
# ## What to do
# - **Staff the dark hours** of the week: a message that comes when nobody is there waits.
# - **Give the leads of "nobody" an agent today**, then mend what `04_data_quality` names.
# - **Look at the listings on top**: raise the price, or find more like them for their owners.
# - Whether these leads are answered in time is the question of `02_response_times`.
