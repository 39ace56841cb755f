"""Partitioned files: raw sweeps with their manifests, and staged Parquet."""

from pf_pipeline.archive.archive import Archive
from pf_pipeline.archive.manifests import Manifest, StoredPage
from pf_pipeline.archive.staged import StagedFiles
from pf_pipeline.archive.sweeps import RawLeads, ReceivedPage, Window

__all__ = [
    "Archive",
    "Manifest",
    "RawLeads",
    "ReceivedPage",
    "StagedFiles",
    "StoredPage",
    "Window",
]
