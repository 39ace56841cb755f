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
# # Which leads get lost between portal and agent, and what has to be mended?

# %% jupyter={"source_hidden": true}
from datetime import timedelta

from IPython.display import Markdown

from pf_pipeline.analysis import (
    arrival_delays,
    query,
    read_crm,
    repeat_inquirers,
    unassigned_backlog,
    unmatched_references,
)

from charts import bars, draw_offline

draw_offline()
crm = read_crm()
newest = crm.leads["created_at"].max()
backlog = unassigned_backlog(crm.leads, newest)
unmatched = unmatched_references(crm.leads, crm.properties)
again = repeat_inquirers(crm.leads)
delays = arrival_delays(crm.observations)
rejected = query("""
    SELECT reason, count(*) AS records
    FROM crm.rejected_leads
    GROUP BY reason
    ORDER BY records DESC, reason
""")


# %% jupyter={"source_hidden": true}
def answer() -> str:
    """What is wrong, in a few sentences."""
    if crm.leads.empty:
        return "**The CRM has no leads yet.**"
    waiting = int(backlog["leads"].sum())
    several = again[again["agents"] > 1]
    return (
        f"**{waiting:,} of {len(crm.leads):,} leads have no agent** "
        f"({waiting / len(crm.leads):.0%}), for {len(backlog)} reasons. "
        f"**{len(unmatched):,} references in leads fit no property**, "
        f"{int(unmatched['closest_reference'].notna().sum())} of them are close to one. "
        f"{len(again):,} people asked more than once, {len(several):,} of them are with several "
        f"agents. {int(rejected['records'].sum()):,} records were no usable leads."
    )


Markdown(answer())

# %% [markdown]
# ## Why leads have no agent
# The twelve commonest reasons, and for how many days the oldest lead has waited. "No agent has the
# portal profile id" means that the id is missing in the agents' file.

# %% jupyter={"source_hidden": true}
(
    backlog.head(12)[["reason", "leads", "days_waiting"]]
    .rename(columns={"days_waiting": "oldest, days"})
    .style.hide(axis="index")
    .bar(subset=["leads"], color="#c0c0c0", vmin=0)
    .format({"oldest, days": "{:.0f}"})
    .set_properties(subset=["reason"], **{"text-align": "left"})
)

# %% [markdown]
# ## References that no property has
# With the property whose reference is most alike, where there is one.

# %% jupyter={"source_hidden": true}
(
    unmatched.head(12)
    .fillna({"closest_reference": ""})
    .rename(columns={"listing_reference": "in leads", "closest_reference": "closest property"})
    .style.hide(axis="index")
    .format({"similarity": "{:.0%}"}, na_rep="")
)

# %% [markdown]
# ## People who ask again
# Who is with several agents hears several answers. Phones and emails are masked.

# %% jupyter={"source_hidden": true}
(
    again.sort_values(["agents", "leads"], ascending=False)
    .head(8)
    .assign(
        first=lambda shown: shown["first_at"].dt.strftime("%d %b %H:%M"),
        last=lambda shown: shown["last_at"].dt.strftime("%d %b %H:%M"),
    )[["person", "leads", "listings", "agents", "first", "last"]]
    .style.hide(axis="index")
)

# %% [markdown]
# ## How soon leads reach the CRM
# Seconds from a lead's creation until it was first seen, by polls and by webhooks. A way without
# leads is not in use, or a backfill brought them in more than a day later.

# %% jupyter={"source_hidden": true}
in_seconds = {
    "median_seconds": "median, s",
    "p90_seconds": "9 of 10 within, s",
    "p99_seconds": "99 of 100 within, s",
}
(
    delays.rename(columns={"observed_by": "seen by", **in_seconds})
    .style.hide(axis="index")
    .format(dict.fromkeys(in_seconds.values(), "{:,.0f}"), na_rep="")
)

# %% [markdown]
# ## Records that were no usable leads
# They are kept whole, and come in by themselves once they can be used.

# %% jupyter={"source_hidden": true}
bars(rejected, "reason", "records", "rejected records")

# %% [markdown]
# ## Leads that nobody works on, by age

# %% jupyter={"source_hidden": true}
unassigned = crm.leads[crm.leads["agent_id"].isna()]
age = newest - unassigned["created_at"]
ages = {"a day": 1, "a week": 7, "four weeks": 28}
Markdown(
    "\n".join(
        f"- {int((age <= timedelta(days=days)).sum()):,} came within {words} of the newest lead"
        for words, days in ages.items()
    )
)

# %% [markdown]
# ## What to do
# - **Add the portal ids** that the first list names to the agents' file: every lead that waits for
#   them gets its agent at the next run.
# - **Correct the references** of the second list, in the CRM or at the portal.
# - **Give people who ask again to one agent**: write it into `crm.leads`, and no run changes it.
