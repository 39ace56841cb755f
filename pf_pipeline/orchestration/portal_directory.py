"""Reading the portal's own people and listings, which decide where the brokerage's data is silent.

Leads must flow whether or not these can be read: a key may lack their scopes. So what cannot be
read is said, and what is known stays. No Dagster here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from pf_pipeline.archive.snapshots import RawSnapshots
from pf_pipeline.crm import Warehouse
from pf_pipeline.leads.portal_directory import read_listings, read_users
from pf_pipeline.portal import PortalClient, PortalError
from pf_pipeline.settings import Settings


@dataclass(frozen=True)
class Directory:
    """One of the portal's lists.

    Attributes:
        name: What it is called, in files and in the CRM.
        path: Where the portal has it (contract, other endpoints).
        records_under: Where its records stand in an answer.
        parameters: What else is asked for.
        read: Makes a frame of its records.
        replace: Puts a frame in the place of what the CRM holds.
    """

    name: str
    path: str
    records_under: str
    parameters: dict[str, str]
    read: Callable[[list[object]], pd.DataFrame]
    replace: Callable[[Warehouse, pd.DataFrame], bool]


USERS = Directory(
    "portal_users", "/v1/users", "data", {}, read_users, Warehouse.replace_portal_users
)
LISTINGS = Directory(
    "portal_listings",
    "/v1/listings",
    "results",
    # Without these the portal lists what is published only, and leads outlive their listing.
    {"draft": "true", "archived": "true"},
    read_listings,
    Warehouse.replace_portal_listings,
)


@dataclass(frozen=True)
class Refreshed:
    """How a refresh ended.

    Attributes:
        rows: How many entries are known now; None if nothing was read.
        newly_assigned: How many leads got an agent by it.
        words: What was done, or why not, as a sentence.
        problem: Whether something is wrong.
    """

    rows: int | None
    newly_assigned: int
    words: str
    problem: bool = False


def refresh(
    directory: Directory,
    settings: Settings,
    *,
    connect: Callable[[], AbstractContextManager[PortalClient]],
    open_crm: Callable[[], AbstractContextManager[Warehouse]],
    now: Callable[[], datetime],
) -> Refreshed:
    """Read a directory, keep it as received, and try leads without an agent again."""
    if settings.api_dialect == "guide":
        words = "Not read: the guide names no such endpoint (PF_API_DIALECT=atlas reads it)."
        return Refreshed(None, 0, words)
    try:
        with connect() as portal:
            found = portal.entries(directory.path, directory.records_under, directory.parameters)
    except PortalError as error:
        return Refreshed(None, 0, f"{error} What is known of it stays.", problem=True)
    if not found.outcome.complete:
        words = (
            f"The portal counts {found.outcome.total} entries of {directory.path}, and gave "
            f"{found.outcome.distinct}: what is known of it stays."
        )
        return Refreshed(None, 0, words, problem=True)
    frame = directory.read(found.records)
    if frame.empty:
        words = f"The portal gave no entry of {directory.path}: what is known of it stays."
        return Refreshed(None, 0, words, problem=True)
    RawSnapshots(settings.data_dir, directory.name).store(
        found.bodies, base_url=settings.api_base_url, read_at=now()
    )
    with open_crm() as crm:
        directory.replace(crm, frame)
        assigned = crm.retry_unassigned(now())
    return Refreshed(len(frame), assigned, f"{len(frame):,} entries of {directory.path}.")
