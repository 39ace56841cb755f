"""The CRM warehouse: its tables, and the loads that bring leads, recordings and people into it."""

from pf_pipeline.crm.errors import (
    CrmAddressError,
    CrmBusyError,
    CrmError,
    ReferenceDataError,
)
from pf_pipeline.crm.warehouse import Loaded, Warehouse, open_crm

__all__ = [
    "CrmAddressError",
    "CrmBusyError",
    "CrmError",
    "Loaded",
    "ReferenceDataError",
    "Warehouse",
    "open_crm",
]
