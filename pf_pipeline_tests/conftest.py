"""What every test relies on: no settings from outside, and a sandbox to talk to."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox
from pf_pipeline.settings import Settings, load_settings

FIRST_SANDBOX_DAY, LAST_SANDBOX_DAY = date(2025, 12, 10), date(2025, 12, 21)
NOW = datetime(2025, 12, 22, 8, tzinfo=UTC)
PROJECT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own portal must never be reached by a test."""
    for name in [*os.environ]:
        if name.startswith(("PF_API", "PF_CRM", "PF_DATA", "PF_PROP", "PF_AGENTS", "DAGSTER_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    """A portal with twelve days of leads, the guide's sample among them."""
    options = SandboxOptions(first_day=FIRST_SANDBOX_DAY, last_day=LAST_SANDBOX_DAY)
    with running_sandbox(options) as running:
        yield running
        assert running.stats()["response_link_hits"] == 0


SettingsFactory = Callable[..., Settings]
PipelineFactory = Callable[..., Pipeline]


@pytest.fixture
def make_settings(sandbox: RunningSandbox, tmp_path: Path) -> SettingsFactory:
    """Settings for the sandbox and a fresh data folder; keywords replace single ones."""

    def make(**overrides: object) -> Settings:
        fields: dict[str, object] = {
            "_env_file": None,
            "api_base_url": sandbox.base_url,
            "api_key": "sandbox-key",
            "api_secret": "sandbox-secret",
            "data_dir": tmp_path / "data",
            "properties": str(PROJECT / "data/reference/properties.csv"),
            "agents": str(PROJECT / "data/reference/agents.csv"),
            "requests_per_minute": 1_000_000,
            "request_attempts": 2,
        }
        return load_settings(**fields | overrides)

    return make


@pytest.fixture
def make_pipeline(make_settings: SettingsFactory) -> PipelineFactory:
    """A pipeline on a stopped clock; keywords replace single settings."""

    def make(now: datetime = NOW, **overrides: object) -> Pipeline:
        return Pipeline(make_settings(**overrides), now=lambda: now)

    return make
