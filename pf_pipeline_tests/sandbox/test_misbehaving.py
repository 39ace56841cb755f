import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from time import monotonic
from urllib.parse import urlencode

import pytest
import requests

from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline.sandbox.faults import FaultKind, planned_faults
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc

OPTIONS = SandboxOptions(faults="hostile", clock=Clock(utc("2025-12-04")))
ATLAS = {"createdAtFrom": "2025-12-01T00:00:00Z"}
GUIDE = {"since": "2025-12-01T00:00:00Z"}


@pytest.fixture(scope="module")
def hostile() -> Iterator[Client]:
    """A client of a sandbox with three days of leads and every fault."""
    with client_of(OPTIONS) as client:
        yield client


def request_with(kind: FaultKind, path: str = "/v1/leads", **parameters: str | int) -> str:
    """The first request whose first fault, and only fault, is of a kind: path and query.

    ``search`` has no meaning in the sandbox, but makes a request another one.
    """
    for n in count():
        request = f"{path}?{urlencode({**parameters, 'search': n})}"
        if [fault.kind for fault in planned_faults("hostile", OPTIONS.seed, request)] == [kind]:
            return request
    raise AssertionError


def well(client: Client, request: str) -> requests.Response:
    """The answer as it should be: the request is asked for again, and its faults are over."""
    answer = client.get(request)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer


@pytest.mark.parametrize(
    ("kind", "statuses", "content_type", "retry_after"),
    [
        (FaultKind.FORBIDDEN_BY_CDN, {403}, "text/html; charset=utf-8", {None}),
        (FaultKind.TOO_MANY, {429}, "application/problem+json", {None}),
        (FaultKind.TOO_MANY_WITH_RETRY_AFTER, {429}, "application/problem+json", {"0", "1"}),
        (FaultKind.SERVER_ERROR, {500, 502, 503, 504}, "application/problem+json", {None}),
        (FaultKind.SERVER_ERROR_IN_HTML, {500, 502, 503, 504}, "text/html; charset=utf-8", {None}),
        (FaultKind.HTML_PAGE, {200}, "text/html; charset=utf-8", {None}),
    ],
)
def test_a_refusal_comes_once(
    hostile: Client,
    kind: FaultKind,
    statuses: set[int],
    content_type: str,
    retry_after: set[str | None],
) -> None:
    before = hostile.sandbox.stats()
    answers = []
    for page in range(1, 40):
        request = request_with(kind, page=page, perPage=5, **ATLAS)
        answers.append(hostile.get(request))
        well(hostile, request)
    after = hostile.sandbox.stats()
    assert {answer.status_code for answer in answers} == statuses
    assert {answer.headers["Content-Type"] for answer in answers} == {content_type}
    assert {answer.headers.get("Retry-After") for answer in answers} == retry_after
    if content_type == "application/problem+json":
        assert all(answer.json().keys() == {"title", "detail", "type"} for answer in answers)
    else:
        assert all(answer.text.startswith("<!doctype html>") for answer in answers)
    assert after["faults"][kind] - before["faults"].get(kind, 0) == 39
    assert after["leads_pages"] - before["leads_pages"] == 39


def test_truncated_json_has_the_length_that_it_says(hostile: Client) -> None:
    request = request_with(FaultKind.TRUNCATED_JSON, page=1, **ATLAS)
    truncated = hostile.get(request)
    whole = well(hostile, request)
    assert truncated.status_code == 200
    assert truncated.headers["Content-Type"] == "application/json"
    assert int(truncated.headers["Content-Length"]) == len(truncated.content)
    assert 0 < len(truncated.content) < len(whole.content)
    assert whole.content.startswith(truncated.content)
    with pytest.raises(requests.JSONDecodeError):
        truncated.json()


def test_json_can_be_labelled_as_text(hostile: Client) -> None:
    request = request_with(FaultKind.LABELLED_AS_TEXT, page=1, **ATLAS)
    labelled = hostile.get(request)
    assert labelled.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert labelled.content == well(hostile, request).content


def test_a_slow_drip_takes_its_time_and_says_all() -> None:
    options = SandboxOptions(faults="hostile", clock=OPTIONS.clock, drip_seconds=0.4)
    with client_of(options) as client:
        request = request_with(FaultKind.SLOW_DRIP, page=1, **ATLAS)
        started = monotonic()
        answer = client.session.get(
            client.sandbox.base_url + request,
            headers={"Authorization": "Bearer sandbox-token"},
            stream=True,
            timeout=10,
        )
        parts = list(answer.iter_content(chunk_size=None))
        assert monotonic() - started >= 0.3
        assert b"".join(parts) == well(client, request).content
        assert client.sandbox.stats()["leads_pages"] == 2


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE_ANSWER, FaultKind.RESET_MIDWAY])
def test_a_connection_is_reset(hostile: Client, kind: FaultKind) -> None:
    request = request_with(kind, page=1, **ATLAS)
    before = hostile.sandbox.stats()["leads_pages"]
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as cut:
        hostile.get(request)
    assert "reset by peer" in str(cut.value)
    assert hostile.sandbox.stats()["leads_pages"] == before
    well(hostile, request)


def test_a_reset_midway_comes_after_the_first_bytes(hostile: Client) -> None:
    request = request_with(FaultKind.RESET_MIDWAY, page=2, **ATLAS)
    answer = hostile.session.get(
        hostile.sandbox.base_url + request,
        headers={"Authorization": "Bearer sandbox-token"},
        stream=True,
        timeout=10,
    )
    assert answer.status_code == 200
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        _ = answer.content
    assert len(well(hostile, request).content) == int(answer.headers["Content-Length"])


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (FaultKind.LOOPING_NEXT_PAGE, ATLAS),
        (FaultKind.TOO_FEW_PAGES, ATLAS),
        (FaultKind.TOO_FEW_PAGES, GUIDE),
        (FaultKind.TOO_MANY_PAGES, ATLAS),
        (FaultKind.TOO_MANY_PAGES, GUIDE),
        (FaultKind.EMPTY_PAGE, ATLAS),
        (FaultKind.EMPTY_PAGE, GUIDE),
        (FaultKind.REPEATED_LEADS, ATLAS),
        (FaultKind.REPEATED_LEADS, GUIDE),
    ],
)
def test_wrong_data_is_right_when_asked_again(kind: FaultKind, parameters: dict[str, str]) -> None:
    options = SandboxOptions(dialect="guide", faults="hostile", clock=OPTIONS.clock)
    with client_of(options if parameters is GUIDE else OPTIONS) as client:
        request = request_with(kind, page=2, perPage=50, **parameters)
        wrong = client.get(request)
        right = well(client, request)
        previous = well(client, f"/v1/leads?{urlencode({**parameters, 'page': 1, 'search': 'x'})}")
        stats = client.sandbox.stats()
    body, truth = wrong.json(), right.json()
    assert wrong.status_code == 200
    assert wrong.headers["Content-Type"] == "application/json"
    assert body != truth
    assert body["pagination"]["total"] == truth["pagination"]["total"] == 180
    if kind is FaultKind.REPEATED_LEADS:
        repeated = body["data"].index(truth["data"][0])
        assert body["data"][:repeated] == previous.json()["data"][-repeated:]
        assert body["data"][repeated:] == truth["data"][:-repeated]
    else:
        assert body["data"] == ([] if kind is FaultKind.EMPTY_PAGE else truth["data"])
    assert stats["faults"] == {kind: 1}
    assert stats["leads_pages"] == 2


@pytest.mark.parametrize("parameters", [ATLAS, GUIDE])
def test_nulls_mean_what_their_absence_means(hostile: Client, parameters: dict[str, str]) -> None:
    request = request_with(FaultKind.NULLS, page=1, **parameters)
    nulled, plain = hostile.get(request).json(), well(hostile, request).json()
    assert nulled != plain
    assert without_nulls(nulled) == without_nulls(plain)


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", ["/v1/users", "/v1/listings"])
def test_users_and_listings_go_wrong_too(hostile: Client, path: str) -> None:
    failing = request_with(FaultKind.TOO_MANY, path)
    assert hostile.get(failing).status_code == 429
    well(hostile, failing)
    empty = request_with(FaultKind.EMPTY_PAGE, path)
    body, truth = hostile.get(empty).json(), well(hostile, empty).json()
    records = "data" if path == "/v1/users" else "results"
    assert body == {**truth, records: []}
    assert truth[records]


def test_what_is_refused_anyway_is_not_spoiled(hostile: Client) -> None:
    for kind in (FaultKind.TRUNCATED_JSON, FaultKind.EMPTY_PAGE, FaultKind.NULLS):
        answer = hostile.get(request_with(kind, perPage=51))
        assert answer.status_code == 400
        assert answer.json()["type"] == "SCHEMA_VALIDATION"


def test_a_fresh_token_is_refused_once() -> None:
    with client_of(SandboxOptions(faults="rough", seed=2)) as client:
        first = minted(client)
        statuses = [client.get("/v1/users", token=first).status_code for _ in range(2)]
        second = minted(client)
        again = client.get("/v1/users", token=second, perPage=5)
        stats = client.sandbox.stats()
    assert statuses == [401, 200]
    assert again.status_code != 401
    assert stats["faults"][FaultKind.TOKEN_REFUSED_WHEN_FRESH] == 1


def test_a_token_expires_between_two_pages() -> None:
    with client_of(OPTIONS) as client:
        client.get("/v1/users", token=minted(client))
        token = minted(client)
        statuses = Counter[int]()
        for n in range(500):
            status = client.get("/v1/users", token=token, page=1 + n // 5).status_code
            statuses[status] += 1
            if status == 401:
                break
        assert statuses[401] == 1
        assert client.get("/v1/users", token=minted(client), page=1 + n // 5).status_code == 200
        assert FaultKind.TOKEN_EXPIRED_EARLY in client.sandbox.stats()["faults"]


def minted(client: Client) -> str:
    body = {"apiKey": "sandbox-key", "apiSecret": "sandbox-secret"}
    for _ in range(10):
        try:
            answer = client.post("/v1/auth/token", json=body)
            if answer.status_code == 200:
                return str(answer.json()["accessToken"])
        except (requests.ConnectionError, requests.JSONDecodeError):
            continue
    raise AssertionError


def outcomes(options: SandboxOptions) -> list[str]:
    """What a fixed sequence of requests meets."""
    seen = []
    with client_of(options) as client:
        for page in [*range(1, 60), *range(1, 60)]:
            try:
                answer = client.get("/v1/leads", page=page, perPage=3, **ATLAS)
                seen.append(f"{answer.status_code} {answer.headers.get('Retry-After')}")
                seen.append(answer.text.replace(client.sandbox.base_url, ""))
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                seen.append("reset")
        seen.append(json.dumps(client.sandbox.stats()["faults"]))
    return seen


def test_the_same_seed_and_requests_meet_the_same_faults() -> None:
    assert outcomes(OPTIONS) == outcomes(OPTIONS)


def test_without_faults_there_are_none() -> None:
    with running_sandbox(SandboxOptions(clock=OPTIONS.clock)) as sandbox:
        for page in range(1, 200):
            answer = requests.get(
                f"{sandbox.base_url}/v1/leads?page={page}",
                headers={"Authorization": "Bearer sandbox-token"},
                timeout=10,
            )
            assert answer.status_code == 200
        assert sandbox.stats()["faults"] == {}
