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
# # How soon are messages answered, and who lets clients wait?

# %% jupyter={"source_hidden": true}
from IPython.display import Markdown

from pf_pipeline.analysis import (
    OfficeHours,
    first_replies,
    hide_small_samples,
    read_crm,
    speed_to_lead,
    watched_leads,
    within_office_hours,
)

from charts import bars, draw_offline, how_soon, median_and_p90

draw_offline()
crm = read_crm(reveal=["agents.name"])  # the brokerage's own people; clients stay masked
names = crm.agents.set_index("agent_id")["name"]
office = OfficeHours()  # 9:00 to 18:00, every day but Sunday: change it to yours

messages = crm.leads[crm.leads["channel"] != "call"]
watched = watched_leads(messages)
replies = first_replies(watched, crm.events)
in_office = within_office_hours(replies, crm.timezone, office)
speed, office_speed = speed_to_lead(replies), speed_to_lead(in_office)
agents = hide_small_samples(speed_to_lead(replies, ["agent_id"]))
agents = agents.assign(name=agents["agent_id"].map(names)).sort_values("within_1_h")


# %% jupyter={"source_hidden": true}
def answer() -> str:
    """How soon, in a few sentences."""
    if speed.empty:
        return (
            "**It cannot be told.** Only messages count that have a status, as the atlas dialect "
            "gives it, and that polls saw within an hour of their creation: keep `poll_schedule` "
            "on."
        )
    (all_of_them,) = speed.itertuples()
    (by_office,) = office_speed.itertuples()
    words = (
        f"**{all_of_them.within_1_h:.0%} of {all_of_them.leads:,} messages were replied to within "
        f"an hour**, {all_of_them.within_5_min:.0%} within five minutes, and "
        f"**{all_of_them.never:.0%} never**. Half of the replies took more than "
        f"{all_of_them.median_minutes:,.0f} minutes by the clock, "
        f"which is {by_office.median_minutes:,.0f} minutes of office hours. "
    )
    known = agents.dropna(subset=["name"])
    if not known.empty:
        words += f"The lowest share within an hour has **{known['name'].iloc[0]}**."
    return words


Markdown(answer())

# %% [markdown]
# ## By the clock, and within office hours
# Office hours are 9:00 to 18:00 on every day but Sunday: a message of the night counts from the
# morning on.

# %% jupyter={"source_hidden": true}
how_soon({"by the clock": speed, f"within office hours ({crm.timezone})": office_speed})

# %% [markdown]
# Every time here is an **upper bound**: a reply is seen at the next poll, up to five minutes later.
# Calls are not among them: they are answered at once or missed (`03_agents_and_calls`).
#
# ## Who replies within an hour
# The lowest first. Agents with fewer than 10 messages are left out.

# %% jupyter={"source_hidden": true}
bars(agents, "name", "within_1_h", "share of messages replied to within 1 hour", form=".0%")

# %% [markdown]
# ## How long it takes those who reply

# %% jupyter={"source_hidden": true}
median_and_p90(agents, "name")

# %% [markdown]
# ## Who does not reply at all

# %% jupyter={"source_hidden": true}
bars(
    agents.sort_values("never", ascending=False),
    "name",
    "never",
    "share of messages that nobody replied to",
    form=".0%",
)

# %% [markdown]
# ## By channel

# %% jupyter={"source_hidden": true}
channels = hide_small_samples(speed_to_lead(replies, ["channel"]))
bars(channels, "channel", "within_1_h", "share of messages replied to within 1 hour", form=".0%")

# %% [markdown]
# ## What it is worth
# Of 2,241 firms 37 % answered within an hour, and 23 % never; who did within the hour had a
# decision maker in the talk seven times as often (Harvard Business Review, 2011). The portal's own
# SuperAgent asks for replies to 80 % of leads, and to WhatsApp messages within 2 hours on average.

# %% [markdown]
# ## What to do
# - **Talk to the first agents of the first list**, and show them these figures.
# - **Reply to what nobody replied to**, the newest first: `05_ask_your_own` shows how to list them.
# - **If office hours look much better than the clock**, a duty for evenings pays; if they do not,
#   it is not the night.
