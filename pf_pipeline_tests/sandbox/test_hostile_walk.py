"""Against the worst portal, a patient client still gets everything, and knows when it has."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import pytest
import requests

from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline.sandbox.faults import MOST_FAILURES_IN_A_ROW, WRONG_DATA
from pf_pipeline_tests.sandbox.client import Clock, utc

# So few leads a day are all well-formed, so that each can be told from the others.
LEADS_PER_DAY = 39
CLOCK = Clock(utc("2025-12-04"))
PER_PAGE = 5
QUERIES = [{"since": "2025-12-01T00:00:00Z"}, {"createdAtFrom": "2025-12-01T00:00:00Z"}]
KEYS = {"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}


@dataclass
class PatientClient:
    """Asks again until an answer is well-formed, and walks again until all records are there."""

    base_url: str
    most_failures: int
    session: requests.Session = field(default_factory=requests.Session)
    token: str | None = None

    def everything(self, path: str, name: str, query: Mapping[str, str]) -> set[str]:
        """All records, as text without nulls."""
        found: set[str] = set()
        for _ in range(4):
            first = self.page(path, {**query, "page": "1"})
            total = first["pagination"]["total"]
            for number in range(1, -(-total // PER_PAGE) + 1):
                body = self.page(path, {**query, "page": str(number)})
                found |= {json.dumps(without_nulls(record)) for record in body[name]}
            if len(found) == total:
                return found
        raise AssertionError(f"{len(found)} of {total} after four walks")

    def page(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        for _ in range(self.most_failures + 1):
            if self.token is None:
                self.token = self.minted()
            answer = self.asked("GET", path, query)
            if answer is not None and answer.status_code == 401:
                self.token = None
            elif answer is not None and is_json(answer):
                body: dict[str, Any] = answer.json()
                return body
        raise AssertionError(f"{path} fails more often than promised")

    def minted(self) -> str:
        for _ in range(self.most_failures + 1):
            answer = self.asked("POST", "/v1/auth/token", {})
            if answer is not None and is_json(answer):
                return str(answer.json()["accessToken"])
        raise AssertionError("minting fails more often than promised")

    def asked(self, method: str, path: str, query: Mapping[str, str]) -> requests.Response | None:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        try:
            return self.session.request(
                method,
                self.base_url + path,
                params={"perPage": str(PER_PAGE), **query} if method == "GET" else None,
                json=KEYS if method == "POST" else None,
                headers=headers,
                timeout=10,
            )
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return None


def is_json(answer: requests.Response) -> bool:
    if answer.status_code != 200 or answer.headers["Content-Type"] != "application/json":
        return False
    try:
        answer.json()
    except requests.JSONDecodeError:
        return False
    return True


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in sorted(value.items()) if v is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def walk(options: SandboxOptions, path: str, name: str, query: Mapping[str, str]) -> set[str]:
    with running_sandbox(options) as sandbox:
        client = PatientClient(sandbox.base_url, MOST_FAILURES_IN_A_ROW[options.faults])
        with client.session:
            found = client.everything(path, name, query)
        stats = sandbox.stats()
    assert bool(stats["faults"]) == (options.faults != "none")
    assert stats["limited"] == 0
    return found


@pytest.mark.parametrize("seed", range(1, 7))
@pytest.mark.parametrize("query", QUERIES, ids=["guide", "atlas"])
def test_hostility_costs_patience_but_no_lead(seed: int, query: dict[str, str]) -> None:
    url = "http://127.0.0.1:8640"
    plain = SandboxOptions(seed=seed, leads_per_day=LEADS_PER_DAY, clock=CLOCK, public_url=url)
    hostile = SandboxOptions(
        seed=seed, leads_per_day=LEADS_PER_DAY, clock=CLOCK, public_url=url, faults="hostile"
    )
    expected = walk(plain, "/v1/leads", "data", query)
    assert len(expected) == 3 * LEADS_PER_DAY
    assert walk(hostile, "/v1/leads", "data", query) == expected


@pytest.mark.parametrize(("path", "name"), [("/v1/users", "data"), ("/v1/listings", "results")])
def test_users_and_listings_are_all_there_in_the_end(path: str, name: str) -> None:
    query = {"draft": "true", "archived": "true"}
    hostile = SandboxOptions(faults="hostile", seed=3)
    assert walk(hostile, path, name, query) == walk(SandboxOptions(seed=3), path, name, query)


def test_rough_pages_are_never_wrong() -> None:
    options = SandboxOptions(leads_per_day=LEADS_PER_DAY, clock=CLOCK, faults="rough")
    with running_sandbox(options) as sandbox:
        client = PatientClient(sandbox.base_url, MOST_FAILURES_IN_A_ROW["rough"])
        with client.session:
            pages = [client.page("/v1/leads", {"page": str(n)}) for n in range(1, 25)]
        faults = sandbox.stats()["faults"]
    records = [json.dumps(record) for page in pages for record in page["data"]]
    assert len(records) == len(set(records)) == 3 * LEADS_PER_DAY
    assert faults
    assert not faults.keys() & WRONG_DATA


def fetch_all_at_once(base_url: str) -> set[str]:
    """What four threads of one process find, each page fetched by each of them."""

    def everything(_thread: int) -> set[str]:
        # Other processes ask the same: an attempt of theirs may be the one that is right.
        client = PatientClient(base_url, most_failures=20)
        with client.session:
            return client.everything("/v1/leads", "data", QUERIES[1])

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(everything, range(4))
    assert all(other == first for other in others)
    return first


def test_threads_of_several_processes_ask_at_once() -> None:
    options = SandboxOptions(leads_per_day=LEADS_PER_DAY, clock=CLOCK, faults="hostile")
    with running_sandbox(options) as sandbox:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
            found = list(processes.map(fetch_all_at_once, [sandbox.base_url] * 2))
        stats = sandbox.stats()
    assert found[0] == found[1]
    assert len(found[0]) == 3 * LEADS_PER_DAY
    assert sum(stats["requests"].values()) >= 8 * 24
    assert stats["leads_pages"] >= 8 * 24 - sum(stats["faults"].values())
