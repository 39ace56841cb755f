"""What Dagster is given: loadable, complete, and named as the design names it."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime

import dagster as dg
import yaml

from pf_pipeline.orchestration.build import build_definitions
from pf_pipeline_tests.conftest import PROJECT

PARTITIONED = {
    "raw_leads",
    "raw_webhook_events",
    "validated_leads",
    "assigned_leads",
    "crm_leads",
    "call_recordings",
}
ASSETS = PARTITIONED | {"properties", "agents", "portal_users", "portal_listings", "lead_report"}
OF_COLUMNS_NAMED_ELSEWHERE = {
    "raw_leads",
    "raw_webhook_events",
    "crm_leads",
    "call_recordings",
    "lead_report",
}


def specs() -> dict[str, dg.AssetSpec]:
    return {
        spec.key.to_user_string(): spec for spec in build_definitions().resolve_all_asset_specs()
    }


def test_definitions_load_in_a_fresh_interpreter_without_a_warning() -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pf_pipeline.definitions"],
        check=True,
        cwd=PROJECT,
        timeout=120,
    )


def test_definitions_can_be_validated() -> None:
    dg.Definitions.validate_loadable(build_definitions())


def test_the_assets_are_those_of_the_design() -> None:
    assert set(specs()) == ASSETS


def test_every_asset_has_a_group_an_owner_kinds_and_a_description() -> None:
    for name, spec in specs().items():
        assert spec.group_name not in {None, "default"}, name
        assert spec.owners, name
        assert spec.kinds, name
        assert len(spec.description or "") > 40, name


def test_partitioned_assets_share_one_partitions_definition_and_backfill_policy() -> None:
    graph = build_definitions().resolve_asset_graph()
    nodes = [graph.get(dg.AssetKey(name)) for name in PARTITIONED]
    assert len({id(node.partitions_def) for node in nodes}) == 1
    assert len({node.backfill_policy for node in nodes}) == 1


def test_today_is_a_partition() -> None:
    (partitions,) = {spec.partitions_def for name, spec in specs().items() if name in PARTITIONED}
    assert partitions is not None
    assert partitions.has_partition_key(datetime.now(UTC).date().isoformat())


def test_column_schemas_describe_every_column() -> None:
    for name in ASSETS - OF_COLUMNS_NAMED_ELSEWHERE:
        schema = specs()[name].metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert all(column.description for column in schema.columns), name


def test_blocking_checks_stop_and_the_warning_does_not() -> None:
    checks = {
        spec.name: spec.blocking
        for definition in build_definitions().asset_checks or []
        for spec in definition.check_specs
    }
    assert checks == {
        "sweeps_complete": False,
        "schema": True,
        "rejects_under_threshold": True,
        "lead_ids_unique": True,
        "unassigned_share": False,
        "everything_accounted_for": True,
        "arrived_by_webhook": False,
    }


def test_workspace_and_project_settings_name_the_same_module() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text())
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    modules = {entry["python_module"]["module_name"] for entry in workspace["load_from"]}
    assert modules == {project["code_location_target_module"]}
    assert project["root_module"] == "pf_pipeline"


def test_telemetry_is_off() -> None:
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert settings["telemetry"] == {"enabled": False}
