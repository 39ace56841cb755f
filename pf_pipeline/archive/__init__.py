"""Partitioned files: raw sweeps with their manifests, and staged Parquet."""

from pf_pipeline.archive.archive import Archive
from pf_pipeline.archive.manifests import AskedFor, Manifest, StoredPage
from pf_pipeline.archive.packing import Packed
from pf_pipeline.archive.passes import KnownPage, LeadsPass, ReceivedPage
from pf_pipeline.archive.staged import Staged, StagedFiles
from pf_pipeline.archive.sweeps import RawLeads
from pf_pipeline.archive.unfinished import RESUME_WITHIN
from pf_pipeline.archive.windows import Window

__all__ = [
    "RESUME_WITHIN",
    "Archive",
    "AskedFor",
    "KnownPage",
    "LeadsPass",
    "Manifest",
    "Packed",
    "RawLeads",
    "ReceivedPage",
    "Staged",
    "StagedFiles",
    "StoredPage",
    "Window",
]
