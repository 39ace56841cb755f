"""``pf-pipeline sandbox``: each option reaches the sandbox."""

from datetime import date
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from pf_pipeline.cli import app
from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.faults import MOST_FAILURES_IN_A_ROW, FaultKind

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "development.md"


WEBHOOK = "http://127.0.0.1:8650/webhooks/property-finder"


@pytest.fixture(autouse=True)
def _no_secret_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PF_WEBHOOK_SECRET", "")


def options_of(*arguments: str) -> SandboxOptions:
    with mock.patch("pf_pipeline.sandbox.serve") as serve:
        ended = CliRunner().invoke(app, ["sandbox", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    options = serve.call_args.args[0]
    assert isinstance(options, SandboxOptions)
    return options


def test_without_options_the_sandbox_behaves() -> None:
    assert options_of() == SandboxOptions()


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--seed", "5"], SandboxOptions(seed=5)),
        (["--leads-per-day", "7"], SandboxOptions(leads_per_day=7)),
        (["--from", "2026-01-02"], SandboxOptions(first_day=date(2026, 1, 2))),
        (["--to", "2026-01-02"], SandboxOptions(last_day=date(2026, 1, 2))),
        (["--order", "oldest"], SandboxOptions(order="oldest")),
        (["--history-days", "90"], SandboxOptions(history_days=90)),
        (["--late-share", "0.2"], SandboxOptions(late_share=0.2)),
        (["--leads-change"], SandboxOptions(leads_change=True)),
        (["--live", "12"], SandboxOptions(live_per_minute=12)),
        (["--latency", "0.5"], SandboxOptions(latency_seconds=0.5)),
        (["--requests-per-minute", "650"], SandboxOptions(requests_per_minute=650)),
        (["--no-leads-scope"], SandboxOptions(leads_scope=False)),
        (["--faults", "rough"], SandboxOptions(faults="rough")),
        (["--faults", "hostile"], SandboxOptions(faults="hostile")),
        (["--drip-seconds", "3"], SandboxOptions(drip_seconds=3.0)),
        (["--webhook-form", "guide"], SandboxOptions(webhook_form="guide")),
        (["--webhook", WEBHOOK], SandboxOptions(webhook_url=WEBHOOK)),
    ],
)
def test_an_option_reaches_the_sandbox(arguments: list[str], options: SandboxOptions) -> None:
    assert options_of(*arguments) == options


@pytest.mark.parametrize(
    "arguments",
    [
        ["--faults", "fierce"],
        ["--order", "random"],
        ["--late-share", "1.5"],
        ["--live", "1001"],
        ["--history-days", "0"],
    ],
)
def test_impossible_options_are_wrong_usage(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["sandbox", *arguments]).exit_code == 2


def test_the_documentation_names_every_fault_and_the_limits() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert all(f"`{kind}`" in text for kind in FaultKind)
    rough, hostile = MOST_FAILURES_IN_A_ROW["rough"], MOST_FAILURES_IN_A_ROW["hostile"]
    assert f"({rough} at `rough`, {hostile} at `hostile`)" in text


def test_the_secret_of_the_webhook_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PF_WEBHOOK_SECRET", "x" * 32)
    assert options_of("--webhook", WEBHOOK).webhook_secret == "x" * 32
    assert options_of().webhook_secret is None


@pytest.mark.parametrize(
    ("url", "secret", "named"),
    [
        ("https://crm.example.com/webhooks", "", "on this machine"),
        (WEBHOOK, "x" * 33, "has 33 characters"),
    ],
)
def test_a_webhook_that_cannot_be_is_one_sentence(
    url: str, secret: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PF_WEBHOOK_SECRET", secret)
    ended = CliRunner().invoke(app, ["sandbox", "--webhook", url])
    assert ended.exit_code == 2
    assert named in ended.output
