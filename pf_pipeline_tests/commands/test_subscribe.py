"""``pf-pipeline subscribe``, and what the doctor says of subscriptions."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from pf_pipeline.cli import app
from pf_pipeline.sandbox import RunningSandbox, SandboxOptions, running_sandbox
from pf_pipeline_tests.commands.conftest import Ended, RunCommand

URL = "http://127.0.0.1:8650/webhooks/property-finder"
OTHER = "http://127.0.0.1:8651/webhooks/property-finder"
SECRET = "0123456789abcdef0123456789abcdef"
EVENTS = ["lead.created", "lead.updated", "lead.assigned"]
HEADERS = {"Authorization": "Bearer sandbox-token"}

Subscribe = Callable[..., Ended]


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    """As the fixture of the same name, without starting Python once more."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, **settings: str) -> Ended:
        result = CliRunner().invoke(app, arguments, env=environment | settings)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return Ended(
            subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)
        )

    return command


@pytest.fixture
def portal() -> Iterator[RunningSandbox]:
    """A sandbox without subscriptions, of this test alone."""
    with running_sandbox(SandboxOptions(leads_per_day=1)) as running:
        yield running


@pytest.fixture
def subscribe(run: RunCommand, portal: RunningSandbox) -> Subscribe:
    def command(*arguments: str, **settings: str) -> Ended:
        given = {"PF_API_BASE_URL": portal.base_url, "PF_WEBHOOK_SECRET": SECRET} | settings
        ended = run("subscribe", *arguments, **given)
        assert SECRET not in ended.out + ended.error
        return ended

    return command


def listed(portal: RunningSandbox) -> list[dict[str, str]]:
    answer = requests.get(f"{portal.base_url}/v1/webhooks", headers=HEADERS, timeout=10)
    records: list[dict[str, str]] = answer.json()["data"]
    return records


def outcomes(ended: Ended) -> list[tuple[str, str, str]]:
    """The rows of the table: event, address, outcome."""
    assert ended.status == 0, ended.error
    rows = [re.split(r"\s{2,}", line.strip()) for line in ended.out.splitlines()]
    return [(row[0], row[1], row[2]) for row in rows if row[0] in EVENTS]


def requests_of(portal: RunningSandbox, path: str = "/v1/webhooks") -> int:
    return portal.stats()["requests"].get(path, 0)


def test_all_events_of_leads_are_registered_once(
    subscribe: Subscribe, portal: RunningSandbox
) -> None:
    assert outcomes(subscribe("--url", URL)) == [(event, URL, "registered") for event in EVENTS]
    before = listed(portal)
    assert [(one["eventId"].partition("_")[0], one["url"]) for one in before] == [
        (event, URL) for event in EVENTS
    ]
    asked = requests_of(portal)
    again = subscribe("--url", URL)
    assert requests_of(portal) == asked + 1, "what is there is only listed"
    assert outcomes(again) == [(event, URL, "was there") for event in EVENTS]
    assert "--renew" in again.out
    assert listed(portal) == before


def test_what_is_missing_is_added(subscribe: Subscribe, portal: RunningSandbox) -> None:
    subscribe("--url", URL)
    created, *_ = listed(portal)
    requests.delete(
        f"{portal.base_url}/v1/webhooks/{created['eventId']}", headers=HEADERS, timeout=10
    )
    assert [row[2] for row in outcomes(subscribe("--url", f"{URL}/"))] == [
        "registered", "was there", "was there"
    ]  # fmt: skip
    assert len(listed(portal)) == 3


def test_other_addresses_are_shown_and_kept(subscribe: Subscribe, portal: RunningSandbox) -> None:
    subscribe("--url", OTHER)
    rows = outcomes(subscribe("--url", URL))
    assert [row for row in rows if row[1] == URL] == [(e, URL, "registered") for e in EVENTS]
    assert [row for row in rows if row[1] == OTHER] == [
        (event, OTHER, "another address: kept") for event in EVENTS
    ]
    assert len(listed(portal)) == 6


def test_renewing_registers_again(subscribe: Subscribe, portal: RunningSandbox) -> None:
    subscribe("--url", OTHER)
    subscribe("--url", URL)
    before = listed(portal)
    rows = outcomes(subscribe("--url", URL, "--renew"))
    assert [row for row in rows if row[1] == URL] == [(event, URL, "renewed") for event in EVENTS]
    after = listed(portal)
    assert [one for one in after if one["url"] == OTHER] == before[:3]
    ours = {one["eventId"] for one in after if one["url"] == URL}
    assert len(ours) == 3
    assert not ours & {one["eventId"] for one in before}


def test_renewing_registers_what_was_not_there(subscribe: Subscribe) -> None:
    assert [row[2] for row in outcomes(subscribe("--url", URL, "--renew"))] == ["registered"] * 3


def test_only_the_address_that_is_given_is_removed(
    subscribe: Subscribe, portal: RunningSandbox
) -> None:
    subscribe("--url", URL)
    subscribe("--url", OTHER)
    rows = outcomes(subscribe("--remove", "--url", URL, PF_WEBHOOK_SECRET=""))
    assert {(row[1], row[2]) for row in rows} == {
        (URL, "removed"), (OTHER, "another address: kept")
    }  # fmt: skip
    assert {one["url"] for one in listed(portal)} == {OTHER}


def test_all_addresses_are_removed_when_asked_for(
    subscribe: Subscribe, portal: RunningSandbox
) -> None:
    subscribe("--url", URL)
    subscribe("--url", OTHER)
    assert [row[2] for row in outcomes(subscribe("--remove", "--all"))] == ["removed"] * 6
    assert listed(portal) == []
    assert "Nobody" in subscribe("--remove", "--all").out


def test_the_list_shows_who_is_subscribed(subscribe: Subscribe) -> None:
    assert "Nobody is subscribed" in subscribe("--list", PF_WEBHOOK_SECRET="").out
    subscribe("--url", URL)
    shown = subscribe("--list").out
    assert all(event in shown for event in EVENTS)
    assert shown.count(URL) == 3


@pytest.mark.parametrize(
    ("arguments", "settings", "named"),
    [
        (["--url", URL], {"PF_WEBHOOK_SECRET": ""}, "There is no PF_WEBHOOK_SECRET"),
        (["--url", URL], {"PF_WEBHOOK_SECRET": SECRET + "x"}, "has 33 characters"),
        (["--url", "http://crm.example.com/webhooks"], {}, "must use https"),
        (["--url", "crm.example.com"], {}, "is no address"),
        (["--url", "https://crm.example.com:99999/"], {}, "is no address"),
        (["--url", "http://[::1"], {}, "is no address"),
        ([], {}, "--url is missing"),
        (["--remove"], {}, "--url is missing"),
        (["--renew", "--remove", "--url", URL], {}, "not several"),
        (["--all"], {}, "--remove only"),
        (["--url", URL], {"PF_API_TOKEN": ""}, "no credentials"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_sent(
    subscribe: Subscribe,
    portal: RunningSandbox,
    arguments: list[str],
    settings: dict[str, str],
    named: str,
) -> None:
    ended = subscribe(*arguments, **settings)
    assert ended.status == 2
    assert named in ended.sentence
    assert requests_of(portal) == 0


def test_what_the_portal_refuses_is_one_sentence(subscribe: Subscribe) -> None:
    ended = subscribe("--url", "https://crm.example.com/webhooks/property-finder")
    assert ended.status == 1
    assert "calls nobody else" in ended.sentence


def test_a_key_without_the_scope_is_one_sentence(run: RunCommand) -> None:
    with running_sandbox(SandboxOptions(leads_scope=False)) as portal:
        ended = run(
            "subscribe",
            "--url",
            URL,
            PF_API_BASE_URL=portal.base_url,
            PF_WEBHOOK_SECRET=SECRET,
        )
    assert ended.status == 1
    assert "lacks a scope" in ended.sentence


@pytest.mark.parametrize("dialect", ["guide", "atlas"])
def test_the_doctor_shows_the_subscriptions(
    run: RunCommand, subscribe: Subscribe, portal: RunningSandbox, dialect: str
) -> None:
    subscribe("--url", URL)
    ended = run("doctor", PF_API_BASE_URL=portal.base_url, PF_API_DIALECT=dialect)
    assert ended.status == 0, ended.out
    line = next(line for line in ended.out.splitlines() if " webhooks " in line)
    assert line.split()[0] == "ok"
    assert all(word in line for word in [URL, *EVENTS])


def test_the_doctor_notes_that_an_event_is_missing(
    run: RunCommand, subscribe: Subscribe, portal: RunningSandbox
) -> None:
    subscribe("--url", URL)
    requests.delete(f"{portal.base_url}/v1/webhooks/lead.updated", headers=HEADERS, timeout=10)
    ended = run("doctor", PF_API_BASE_URL=portal.base_url)
    assert ended.status == 0
    line = next(line for line in ended.out.splitlines() if " webhooks " in line)
    assert line.split()[0] == "note"
    assert "not of lead.updated" in line


def test_a_key_without_the_scope_is_a_note_for_the_doctor(run: RunCommand) -> None:
    with running_sandbox(SandboxOptions(leads_scope=False)) as portal:
        ended = run("doctor", PF_API_BASE_URL=portal.base_url)
    marks = {line.split()[1]: line.split()[0] for line in ended.out.splitlines()}
    assert marks["webhooks"] == "note"
    assert marks["portal"] == "problem"
