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
# # Are calls answered, and what is said in them?

# %% jupyter={"source_hidden": true}
from IPython.display import Markdown

from pf_pipeline.analysis import (
    answered_calls,
    hide_small_samples,
    leads_by_hour_and_weekday,
    missed_calls,
    read_crm,
    recordings_coverage,
    talk_time,
)

from charts import bars, columns, draw_offline
from listening import players

draw_offline()
# The brokerage's own people and the links to recordings are asked for; clients stay masked.
crm = read_crm(reveal=["agents.name", "recording_url"])
names = crm.agents.set_index("agent_id")["name"]
timezone = crm.timezone

calls = answered_calls(crm.leads)
missed = missed_calls(crm.leads)
coverage = recordings_coverage(crm.leads, crm.recordings)
talked = talk_time(crm.recordings)
agents = hide_small_samples(answered_calls(crm.leads, ["agent_id"]), "calls")
agents = agents.assign(name=agents["agent_id"].map(names)).sort_values("answered_rate")


# %% jupyter={"source_hidden": true}
def answer() -> str:
    """The calls in a few sentences."""
    words = "**Whether calls are answered cannot be told**: only the atlas dialect gives a status. "
    if not calls.empty:
        (of_all,) = calls.itertuples()
        words = (
            f"**{of_all.answered_rate:.0%} of {of_all.calls:,} calls were answered, "
            f"{of_all.missed:,} were missed.** "
        )
    if not coverage.empty:
        (recorded,) = coverage.itertuples()
        words += f"{recorded.coverage:.0%} of the calls that were not missed are recorded. "
    for seconds in talked["median_talk_seconds"].dropna():
        words += f"Half of the recorded calls last longer than {seconds:.0f} s."
    return words


Markdown(answer())

# %% [markdown]
# ## Who answers
# Answered of all calls, the lowest first. Agents with fewer than 10 calls are left out.

# %% jupyter={"source_hidden": true}
bars(agents, "name", "answered_rate", "share of calls answered", form=".0%")

# %% [markdown]
# ## When calls are missed

# %% jupyter={"source_hidden": true}
hours = leads_by_hour_and_weekday(missed, timezone).groupby("hour", as_index=False)["leads"].sum()
columns(hours, "hour", "leads", f"hour of the day ({timezone})", "missed calls")

# %% [markdown]
# ## Missed calls to return
# The latest ten. Phones are masked; `05_ask_your_own` shows how to ask for them.

# %% jupyter={"source_hidden": true}
(
    missed.head(10)
    .assign(
        agent=lambda shown: shown["agent_id"].map(names).fillna("nobody"),
        call=lambda shown: shown["created_at"].dt.strftime("%a %d %b %H:%M"),
    )[["call", "agent", "listing_reference", "phone_e164", "lead_id"]]
    .rename(columns={"listing_reference": "listing", "phone_e164": "phone", "lead_id": "lead"})
    .fillna("")
    .style.hide(axis="index")
)

# %% [markdown]
# ## How long they talk
# Recorded calls only. Agents with fewer than 10 of them are left out.

# %% jupyter={"source_hidden": true}
talks = hide_small_samples(talk_time(crm.recordings, ["agent_id"]), "recordings")
talks = talks.assign(name=talks["agent_id"].map(names)).sort_values("median_talk_seconds")
bars(talks, "name", "median_talk_seconds", "talk time of the middle call, seconds", form=".0f")

# %% [markdown]
# ## Listen
# The longest calls of the agent with the lowest answered rate, and of two others. Whoever has a
# link may be able to listen: do not pass it on.

# %% jupyter={"source_hidden": true}
chosen = agents.dropna(subset=["name"])["agent_id"].head(3)
longest = (
    crm.recordings[crm.recordings["agent_id"].isin(chosen) | chosen.empty]
    .sort_values("talk_seconds", ascending=False)
    .groupby("agent_id")
    .head(3)
    .merge(crm.leads[["lead_id", "created_at"]], on="lead_id")
    .sort_values(["agent_id", "created_at"])
    .head(9)
)
players(
    longest.assign(
        who=longest["agent_id"].map(names).fillna("nobody"),
        when=longest["created_at"].dt.strftime("%a %d %b %H:%M"),
    )
)

# %% [markdown]
# ## What to do
# - **Return the missed calls** of the list, the latest first.
# - **Put a second phone where the missed calls are**: the hours with the tallest bars.
# - **Listen to two calls of the first and the last agent** of the list, and let the one hear the
#   other.
