import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pf_pipeline.portal import (
    MintedToken,
    PermanentPortalError,
    PortalDataError,
    PortalError,
    StaticToken,
    TransientPortalError,
    connect,
)
from pf_pipeline_tests.portal.conftest import MakeClient
from pf_pipeline_tests.portal.samples import END, GUIDE_ANSWER, START
from pf_pipeline_tests.portal.scripted import Answer, ScriptedPortal, html, minted, problem, reply

KEY, SECRET = "key-of-the-brokerage", "secret-of-the-brokerage"


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(portal: ScriptedPortal, clock: Clock) -> Iterator[MintedToken]:
    tokens = MintedToken(portal.url, KEY, SECRET, clock=clock)
    yield tokens
    tokens.close()


def test_key_and_secret_are_exchanged_for_a_token(
    portal: ScriptedPortal, tokens: MintedToken
) -> None:
    portal.plays(minted("first"))
    assert tokens.bearer() == "first"
    (request,) = portal.requests
    assert (request.method, request.path) == ("POST", "/v1/auth/token")
    assert json.loads(request.body) == {"apiKey": KEY, "apiSecret": SECRET}


def test_a_token_is_sent_as_a_bearer_token(
    portal: ScriptedPortal, tokens: MintedToken, make_client: MakeClient
) -> None:
    portal.plays(minted("first"), reply(GUIDE_ANSWER))
    make_client(tokens).page(1, START, END)
    assert portal.requests[1].headers["Authorization"] == "Bearer first"


def test_a_token_is_used_until_shortly_before_it_expires(
    portal: ScriptedPortal, tokens: MintedToken, clock: Clock
) -> None:
    portal.plays(minted("first", 1800), minted("second", 1800))
    tokens.bearer()
    clock.now += 1600
    assert tokens.bearer() == "first"
    clock.now += 100
    assert tokens.bearer() == "second"


@pytest.mark.parametrize("lifetime", [86400, None, "1800", True, float("nan")])
def test_no_token_is_used_for_longer_than_the_contracts_half_hour(
    portal: ScriptedPortal, tokens: MintedToken, clock: Clock, lifetime: object
) -> None:
    portal.plays(minted("first", lifetime), minted("second"))
    assert tokens.bearer() == "first"
    clock.now += 1000
    assert tokens.bearer() == "first"
    clock.now += 801
    assert tokens.bearer() == "second"


def test_a_token_that_is_refused_once_is_replaced(
    portal: ScriptedPortal, tokens: MintedToken, make_client: MakeClient
) -> None:
    portal.plays(minted("first"), problem(401), minted("second"), reply(GUIDE_ANSWER))
    assert make_client(tokens).page(1, START, END).records
    assert portal.requests[-1].headers["Authorization"] == "Bearer second"


def test_a_second_refusal_means_that_the_key_is_revoked(
    portal: ScriptedPortal, tokens: MintedToken, make_client: MakeClient
) -> None:
    portal.plays(minted("first"), problem(401), minted("second"), problem(401))
    with pytest.raises(PermanentPortalError, match="PF_API_KEY and PF_API_SECRET"):
        make_client(tokens).page(1, START, END)
    assert len(portal.requests) == 4


def test_a_refusal_of_an_older_token_keeps_the_newer_one(
    portal: ScriptedPortal, tokens: MintedToken
) -> None:
    portal.plays(minted("first"), minted("second"), minted("third"))
    tokens.bearer()
    tokens.refused("first")
    tokens.bearer()
    tokens.refused("first")
    assert tokens.bearer() == "second"


def test_a_ready_token_that_is_refused_is_permanent_at_once(
    portal: ScriptedPortal, make_client: MakeClient
) -> None:
    portal.plays(problem(401))
    with pytest.raises(PermanentPortalError, match="PF_API_TOKEN"):
        make_client(StaticToken("old")).page(1, START, END)
    assert len(portal.requests) == 1


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ünicode"])
def test_a_ready_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(PermanentPortalError, match="PF_API_TOKEN") as caught:
        StaticToken(token)
    assert not token or token not in str(caught.value)


def test_a_ready_token_may_end_in_a_line_break() -> None:
    assert StaticToken("token\n").bearer() == "token"


def test_a_wrong_key_is_permanent(portal: ScriptedPortal, make_client: MakeClient) -> None:
    tokens = MintedToken(portal.url, KEY, SECRET)
    portal.plays(problem(401, detail=f"{KEY} and {SECRET} do not match"))
    with pytest.raises(PermanentPortalError, match="/v1/auth/token refused the API key"):
        make_client(tokens).page(1, START, END)
    assert len(portal.requests) == 1


@pytest.mark.parametrize("fault", [problem(429), problem(500), html(403), html(), reply({})])
def test_a_fault_while_minting_is_asked_again(
    portal: ScriptedPortal, tokens: MintedToken, make_client: MakeClient, fault: Answer
) -> None:
    portal.plays(fault, minted("first"), reply(GUIDE_ANSWER))
    assert make_client(tokens).page(1, START, END).records


def test_attempts_bound_the_requests_for_a_token_too(
    portal: ScriptedPortal, tokens: MintedToken, make_client: MakeClient
) -> None:
    portal.plays(problem(503))
    with pytest.raises(TransientPortalError, match="/v1/auth/token answered HTTP 503"):
        make_client(tokens, attempts=4).page(1, START, END)
    assert len(portal.requests) == 4


@pytest.mark.parametrize("answer", [{}, [], {"accessToken": 7}, {"accessToken": "a\r\nb"}])
def test_an_answer_without_a_usable_token_is_a_data_error(
    portal: ScriptedPortal, tokens: MintedToken, answer: object
) -> None:
    portal.plays(reply(answer))
    with pytest.raises(PortalDataError, match="accessToken"):
        tokens.bearer()


def test_threads_share_one_token(portal: ScriptedPortal, tokens: MintedToken) -> None:
    portal.plays(minted("first"))
    threads = [threading.Thread(target=tokens.bearer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(portal.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        problem(400, detail=f"{KEY}: {SECRET}"),
        problem(401, detail=f"{KEY}: {SECRET}"),
        problem(403, detail=f"{KEY}: {SECRET}"),
        problem(500, detail=f"{KEY}: {SECRET}"),
    ],
)
def test_no_error_log_or_repr_shows_the_key(
    portal: ScriptedPortal,
    tokens: MintedToken,
    make_client: MakeClient,
    caplog: pytest.LogCaptureFixture,
    answer: Answer,
) -> None:
    caplog.set_level(logging.DEBUG)
    portal.plays(answer)
    with pytest.raises(PortalError) as caught:
        make_client(tokens).page(1, START, END)
    shown = f"{caught.value!r} {tokens!r} {caplog.text}"
    assert KEY not in shown
    assert SECRET not in shown


def test_a_ready_token_is_not_shown() -> None:
    assert "hidden" not in f"{StaticToken('hidden')!r} {StaticToken('hidden')}"


def test_missing_credentials_are_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentPortalError, match="PF_API_TOKEN, or PF_API_KEY and PF_API_SECRET"):
        connect(
            "https://atlas.propertyfinder.com",
            key=KEY,
            secret=None,
            token=None,
            dialect="guide",
            state_dir=tmp_path,
        )


def test_settings_become_a_client_that_works(portal: ScriptedPortal, tmp_path: Path) -> None:
    portal.plays(minted("first"), reply(GUIDE_ANSWER))
    with connect(
        portal.url, key=KEY, secret=SECRET, token=None, dialect="atlas", state_dir=tmp_path / "new"
    ) as client:
        assert len(client.page(1, START, END).records) == 1
    assert "createdAtFrom" in dict(portal.requests[1].query)


def test_a_ready_token_wins_over_a_key(portal: ScriptedPortal, tmp_path: Path) -> None:
    portal.plays(reply(GUIDE_ANSWER))
    with connect(
        portal.url, key=KEY, secret=SECRET, token="ready", dialect="guide", state_dir=tmp_path
    ) as client:
        client.page(1, START, END)
    assert portal.requests[0].headers["Authorization"] == "Bearer ready"
