"""One token for all processes, in a file that only its user can read."""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

import pytest

from pf_pipeline.portal import (
    MintedToken,
    PermanentPortalError,
    TokenCache,
    connect,
    private_folder,
)
from pf_pipeline.sandbox import SandboxOptions, running_sandbox
from pf_pipeline_tests.portal.conftest import MakeClient
from pf_pipeline_tests.portal.samples import GUIDE_ANSWER
from pf_pipeline_tests.portal.scripted import ScriptedPortal, minted, problem, reply

KEY, SECRET = "key-of-the-brokerage", "secret-of-the-brokerage"
PROCESSES = 50

A_PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pf_pipeline.portal import connect

url, folder = sys.argv[1:]
with connect(
    url, key="sandbox-key", secret="sandbox-secret", token=None, dialect="guide",
    state_dir=Path(folder), requests_per_minute=1_000_000,
) as client:
    print("ready", flush=True)
    sys.stdin.readline()
    now = datetime.now(UTC)
    client.page(1, now, now)
"""


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, wall: Clock) -> TokenCache:
    return TokenCache(tmp_path, "portal", KEY, clock=wall)


MakeTokens = Callable[[], MintedToken]


@pytest.fixture
def make_tokens(portal: ScriptedPortal, tmp_path: Path, wall: Clock) -> Iterator[MakeTokens]:
    """Token sources as further processes would have them; their own clocks stand still."""
    made: list[MintedToken] = []

    def make() -> MintedToken:
        cache = TokenCache(tmp_path, "portal", KEY, clock=wall)
        made.append(MintedToken(portal.url, KEY, SECRET, cache=cache, clock=Clock(50.0)))
        return made[-1]

    yield make
    for tokens in made:
        tokens.close()


def file_of(folder: Path) -> Path:
    (path,) = folder.glob("token-*.json")
    return path


def test_fifty_processes_that_start_at_once_ask_for_one_token(tmp_path: Path) -> None:
    with running_sandbox(SandboxOptions()) as sandbox:
        command = [executable, "-c", A_PROCESS, sandbox.base_url, str(tmp_path / "state")]
        processes = [
            Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)  # noqa: S603
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        outcomes = [(process.communicate()[1], process.returncode) for process in processes]
        requests = sandbox.stats()["requests"]
    assert outcomes == [("", 0)] * PROCESSES
    assert requests == {"/v1/auth/token": 1, "/v1/leads": PROCESSES}


def test_another_process_uses_the_token(portal: ScriptedPortal, make_tokens: MakeTokens) -> None:
    portal.plays(minted("first"), minted("second"))
    assert [make_tokens().bearer(), make_tokens().bearer()] == ["first", "first"]
    assert len(portal.requests) == 1


def test_a_token_is_shared_for_nine_tenths_of_its_life_from_when_it_was_asked_for(
    portal: ScriptedPortal, make_tokens: MakeTokens, wall: Clock
) -> None:
    portal.plays(minted("first", 1000), minted("second"))
    make_tokens().bearer()
    wall.now += 899
    late = make_tokens()
    assert late.bearer() == "first"
    assert not late.is_fresh("first")
    wall.now += 2
    assert make_tokens().bearer() == "second"


def test_a_process_that_found_a_token_renews_it_in_time(
    portal: ScriptedPortal, tmp_path: Path, make_tokens: MakeTokens, wall: Clock
) -> None:
    portal.plays(minted("first", 1000), minted("second"))
    make_tokens().bearer()
    wall.now += 800
    own = Clock()
    cache = TokenCache(tmp_path, "portal", KEY, clock=wall)
    tokens = MintedToken(portal.url, KEY, SECRET, cache=cache, clock=own)
    assert tokens.bearer() == "first"
    own.now += 101
    wall.now += 101
    assert tokens.bearer() == "second"
    tokens.close()


def test_a_clock_that_was_set_back_costs_a_new_token(
    portal: ScriptedPortal, make_tokens: MakeTokens, wall: Clock
) -> None:
    portal.plays(minted("first"), minted("second"))
    make_tokens().bearer()
    wall.now -= 3600
    assert make_tokens().bearer() == "second"
    wall.now += 60
    assert make_tokens().bearer() == "second"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"token": "old"}',
        b'{"token": 7, "asked_at": 1000000, "lifetime": 900}',
        b'{"token": "old", "asked_at": "soon", "lifetime": 900}',
        b'{"token": "old", "asked_at": null, "lifetime": 900}',
        b'{"token": "old", "asked_at": 1000000, "lifetime": NaN}',
        b'{"token": "two words", "asked_at": 1000000, "lifetime": 900}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_costs_a_new_token_and_nothing_else(
    portal: ScriptedPortal, tmp_path: Path, make_tokens: MakeTokens, content: bytes
) -> None:
    portal.plays(minted("first"), minted("second"), minted("third"))
    make_tokens().bearer()
    file_of(tmp_path).write_bytes(content)
    assert [make_tokens().bearer(), make_tokens().bearer()] == ["second", "second"]


def test_a_file_does_not_keep_a_token_for_longer_than_the_contract(
    portal: ScriptedPortal, tmp_path: Path, make_tokens: MakeTokens, wall: Clock
) -> None:
    portal.plays(minted("new"))
    cache = TokenCache(tmp_path, "portal", KEY, clock=wall)
    cache.write("old", age=1600, lifetime=10**9)
    assert make_tokens().bearer() == "old"
    wall.now += 100
    assert make_tokens().bearer() == "new"


def test_only_its_user_may_read_the_file_and_it_names_no_key(
    portal: ScriptedPortal, tmp_path: Path
) -> None:
    portal.plays(minted("first"), reply(GUIDE_ANSWER))
    state = tmp_path / "state"
    with connect(
        portal.url, key=KEY, secret=SECRET, token=None, dialect="guide", state_dir=state
    ) as client:
        client.sign_in()
    assert state.stat().st_mode & 0o777 == 0o700
    path = file_of(state)
    assert path.stat().st_mode & 0o777 == 0o600
    content = "".join(one.name for one in state.iterdir()) + path.read_text()
    assert KEY not in content
    assert SECRET not in content


def test_keys_secrets_and_portals_have_files_of_their_own(tmp_path: Path) -> None:
    identities = [("a", "k", "s"), ("b", "k", "s"), ("a", "l", "s"), ("a", "k", "t"), ("ak", "s")]
    for identity in identities:
        TokenCache(tmp_path, *identity).write("token", age=0, lifetime=100)
    assert len([*tmp_path.glob("token-*.json")]) == len(identities)


def test_a_refused_token_is_replaced_for_every_process(
    portal: ScriptedPortal, make_tokens: MakeTokens
) -> None:
    portal.plays(minted("first"), minted("second"))
    one, other = make_tokens(), make_tokens()
    assert [one.bearer(), other.bearer()] == ["first", "first"]
    one.refused("first")
    assert one.bearer() == "second"
    other.refused("first")  # long replaced: the new one stays
    assert other.bearer() == "second"
    assert make_tokens().bearer() == "second"
    assert len(portal.requests) == 2


def test_an_old_token_says_nothing_about_the_key(
    portal: ScriptedPortal, make_tokens: MakeTokens, make_client: MakeClient, wall: Clock
) -> None:
    """Expired early, its successor refused once for being fresh: the third one works."""
    portal.plays(
        minted("first"),
        problem(401),
        minted("second"),
        problem(401),
        minted("third"),
        reply({"data": []}),
    )
    make_tokens().bearer()
    wall.now += 600
    make_client(make_tokens()).entries("/v1/users", "data")
    assert portal.requests[-1].headers["Authorization"] == "Bearer third"


def test_a_revoked_key_is_found_out_after_two_fresh_tokens(
    portal: ScriptedPortal, make_tokens: MakeTokens, make_client: MakeClient, wall: Clock
) -> None:
    portal.plays(
        minted("first"), problem(401), minted("second"), problem(401), minted("third"), problem(401)
    )
    make_tokens().bearer()
    wall.now += 600
    with pytest.raises(PermanentPortalError, match="PF_API_KEY and PF_API_SECRET"):
        make_client(make_tokens()).entries("/v1/users", "data")
    assert len(portal.requests) == 6


def test_a_folder_that_cannot_be_used_is_one_warning_and_no_more(
    portal: ScriptedPortal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    caplog.set_level(logging.WARNING)
    portal.plays(minted("first"), minted("second"))
    cache = TokenCache(tmp_path / "file", "portal", KEY)
    tokens = MintedToken(portal.url, KEY, SECRET, cache=cache)
    assert tokens.bearer() == "first"
    tokens.refused("first")
    assert tokens.bearer() == "second"
    tokens.close()
    (record,) = [r for r in caplog.records if r.name.startswith("pf_pipeline")]
    assert "cannot be shared" in record.getMessage()
    assert KEY not in record.getMessage()


def test_a_lock_that_nobody_gives_back_does_not_stop_a_run(
    portal: ScriptedPortal, tmp_path: Path
) -> None:
    portal.plays(minted("first"))
    holder = TokenCache(tmp_path, "portal", KEY)
    released, held = threading.Event(), threading.Event()

    def hold() -> None:
        with holder.held():
            held.set()
            released.wait(30)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(hold)
        held.wait(30)
        cache = TokenCache(tmp_path, "portal", KEY, lock_seconds=0.05)
        tokens = MintedToken(portal.url, KEY, SECRET, cache=cache)
        assert tokens.bearer() == "first"
        tokens.close()
        released.set()


def test_nothing_is_left_beside_the_file(cache: TokenCache, tmp_path: Path) -> None:
    for token in ("first", "second"):
        with cache.held():
            cache.write(token, age=0, lifetime=100)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {file_of(tmp_path).name, f"{file_of(tmp_path).name}.lock"}
    assert json.loads(file_of(tmp_path).read_text())["token"] == "second"


def test_a_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("planted", ["link", "broken link", "file"])
def test_something_in_the_folders_place_is_one_sentence(tmp_path: Path, planted: str) -> None:
    place = tmp_path / "place"
    if planted == "file":
        place.write_text("")
    else:
        elsewhere = tmp_path / "elsewhere"
        place.symlink_to(elsewhere)
        if planted == "link":
            elsewhere.mkdir()
    with pytest.raises(PermanentPortalError, match=r"^The folder .* TMPDIR to a.* folder.*\.$"):
        private_folder(place)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(PermanentPortalError, match="belongs to somebody else"):
        private_folder(folder)
