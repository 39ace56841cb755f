"""What Dagster loads."""

from pf_pipeline.orchestration.build import build_definitions

defs = build_definitions()
