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
# # How do I ask my own question?
# In SQL, with pandas, or with polars: here the same question in all three. **Which agents have the
# most WhatsApp leads?** Take whichever you like; the answers are the same.

# %%
from pf_pipeline.analysis import first_replies, missed_calls, query, read_crm, watched_leads

# %% [markdown]
# ## SQL
# `query` opens the CRM for the moment of the question: nothing stays open, no load has to wait. The
# tables and their columns are in `docs/reading-results.md`.

# %%
in_sql = query("""
    SELECT agent_id, count(*) AS leads
    FROM crm.leads
    WHERE channel = 'whatsapp' AND agent_id IS NOT NULL
    GROUP BY agent_id
    ORDER BY leads DESC, agent_id
    LIMIT 5
""")
in_sql

# %% [markdown]
# ## pandas

# %%
leads = query("SELECT lead_id, agent_id, channel, status, created_at FROM crm.leads")
in_pandas = (
    leads[leads["channel"] == "whatsapp"]
    .groupby("agent_id", as_index=False)
    .agg(leads=("lead_id", "size"))
    .sort_values(["leads", "agent_id"], ascending=[False, True], ignore_index=True)
    .head(5)
)
in_pandas

# %% [markdown]
# ## polars

# %%
import polars as pl

in_polars = (
    pl.from_pandas(leads)
    .filter(pl.col("channel") == "whatsapp", pl.col("agent_id").is_not_null())
    .group_by("agent_id")
    .agg(leads=pl.len())
    .sort(["leads", "agent_id"], descending=[True, False])
    .head(5)
)
in_polars

# %%
rows = [*zip(in_sql["agent_id"], in_sql["leads"], strict=True)]
assert rows == [*zip(in_pandas["agent_id"], in_pandas["leads"], strict=True)]
assert rows == in_polars.rows()
print("SQL, pandas and polars agree.")

# %% [markdown]
# ## Names and phones
# They are masked: the same person has the same mask until you restart the notebook, so that you can
# count people without knowing them. Ask for a column by its name to see it.

# %%
query("SELECT name, phone_e164, channel FROM crm.leads ORDER BY created_at DESC LIMIT 3")

# %%
sql = "SELECT name, phone_e164, channel FROM crm.leads ORDER BY created_at DESC LIMIT 3"
query(sql, reveal=["phone_e164"])

# %% [markdown]
# ## Days and hours
# In SQL they are those of `PF_DISPLAY_TIMEZONE`, and instants come back in it.

# %%
query("""
    SELECT dayname(created_at) AS weekday, count(*) AS leads
    FROM crm.leads
    GROUP BY weekday
    ORDER BY leads DESC
""")

# %% [markdown]
# ## The metrics of the other notebooks
# are functions over frames: `help(read_crm)`, `help(first_replies)` and so on say what they take
# and give. The newest messages that nobody has replied to:

# %%
crm = read_crm()
replies = first_replies(watched_leads(crm.leads), crm.events)
waiting = replies[replies["minutes"].isna() & (replies["channel"] != "call")]
waiting.tail(5)[["created_at", "channel", "agent_id", "listing_reference", "lead_id"]]

# %% [markdown]
# ## Take it with you
# A frame becomes a file that Excel, or a colleague, can open.

# %%
missed = missed_calls(crm.leads)[["created_at", "agent_id", "listing_reference", "lead_id"]]
as_csv = missed.head(3).to_csv(index=False)  # to_csv("missed.csv", index=False) writes the file
print(as_csv)

# %% [markdown]
# ## What to do
# Change a query, run the cell with Shift-Enter, and look. You cannot break anything: the CRM is
# only read here. A question that takes long makes loads wait, so it is ended after 20 seconds: ask
# for less at once.
