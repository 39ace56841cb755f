"""Deliveries into the CRM, by the functions that also load what was polled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from itertools import groupby

import pandas as pd

from pf_pipeline.crm import open_crm
from pf_pipeline.crm.connection import database_path
from pf_pipeline.leads.deliveries import Delivery, sightings_of
from pf_pipeline.leads.observing import observe
from pf_pipeline.settings import Settings


@dataclass(frozen=True)
class LoadedBatch:
    """What a batch of deliveries changed in the CRM.

    Attributes:
        inserted: Leads that are new.
        updated: Leads that changed.
        unchanged: Leads that were already so.
        rejected: Distinct records that are no usable leads; they are kept with the reason.
        received: Records in the batch; one delivery may hold several.
        deliveries: How many deliveries arrived on each UTC day.
    """

    inserted: int
    updated: int
    unchanged: int
    rejected: int
    received: int
    deliveries: dict[date, int]


def load_deliveries(
    settings: Settings, deliveries: Sequence[Delivery], inbox_id: str
) -> LoadedBatch:
    """Parse, validate, assign and merge deliveries, and move the inbox's cursor, all or nothing.

    Idempotent: a batch that is loaded once more changes nothing.

    Args:
        settings: Where the CRM is.
        deliveries: In the order of their numbers; at least one.
        inbox_id: The inbox in which they stand.

    Raises:
        CrmError: The CRM is busy or cannot be opened.
    """
    by_day = {
        day: list(arrived) for day, arrived in groupby(sorted(deliveries, key=_day), key=_day)
    }
    observed = [
        observe(
            sightings_of(arrived),
            partition_key=day.isoformat(),
            country=settings.default_country,
            by="webhook",
        )
        for day, arrived in by_day.items()
    ]
    rejected = pd.concat([one.rejected for one in observed])
    with open_crm(settings.crm_location, lock_timeout=settings.lock_timeout_seconds) as crm:
        loaded = crm.load_deliveries(
            pd.concat([one.observations for one in observed]),
            rejected,
            inbox_id=inbox_id,
            number=max(delivery.number for delivery in deliveries),
        )
    return LoadedBatch(
        loaded.inserted,
        loaded.updated,
        loaded.unchanged,
        len(rejected),
        sum(one.received for one in observed),
        {day: len(arrived) for day, arrived in by_day.items()},
    )


def loaded_until(settings: Settings, inbox_id: str) -> int:
    """The number of the last delivery of an inbox that the CRM has; 0 if it has none.

    Raises:
        CrmError: The CRM is busy or cannot be opened.
    """
    with open_crm(settings.crm_location, lock_timeout=settings.lock_timeout_seconds) as crm:
        return crm.webhook_cursor(inbox_id)


def crm_file(settings: Settings) -> tuple[int, int] | None:
    """Which file the CRM is, whatever it is called; None while there is none."""
    try:
        found = database_path(settings.crm_location).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _day(delivery: Delivery) -> date:
    """The UTC day on which a delivery arrived: its partition."""
    return delivery.received_at.astimezone(UTC).date()
