"""The only room that imports Dagster: assets, checks, partitions, jobs, schedules, sensors.

Assets are thin: partition keys in, one step of :mod:`~pf_pipeline.orchestration.pipeline`, metadata
out.
"""
