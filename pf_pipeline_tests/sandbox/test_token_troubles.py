from itertools import count
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline.sandbox.faults import MOST_FAILURES_IN_A_ROW, FaultKind, uses_until_expiry
from pf_pipeline.sandbox.token_troubles import History, TokenTroubles

OPTIONS = SandboxOptions(faults="hostile")
FRESH, EXPIRED = FaultKind.TOKEN_REFUSED_WHEN_FRESH, FaultKind.TOKEN_EXPIRED_EARLY


def used_up(troubles: TokenTroubles, token: str) -> None:
    """Use a token, for requests that come once, until it has expired."""
    while troubles.refuse(token, History()) is not EXPIRED:
        pass


def test_the_first_token_is_refused_once_and_then_accepted() -> None:
    troubles, history = TokenTroubles(OPTIONS), History()
    refusals = [troubles.refuse("first", history) for _ in range(3)]
    assert refusals == [FRESH, None, None]


def test_the_second_token_is_accepted_at_once() -> None:
    troubles, history = TokenTroubles(OPTIONS), History()
    assert troubles.refuse("first", history) is FRESH
    assert troubles.refuse("second", history) is None


def test_a_token_expires_after_its_number_of_uses() -> None:
    troubles = TokenTroubles(OPTIONS)
    troubles.refuse("first", History())
    uses = next(n for n in count() if troubles.refuse("second", History()) is EXPIRED)
    assert uses == uses_until_expiry("hostile", OPTIONS.seed, 2)


def test_an_expired_token_stays_expired() -> None:
    troubles, history = TokenTroubles(OPTIONS), History()
    used_up(troubles, "first")
    assert [troubles.refuse("first", history) for _ in range(10)] == [EXPIRED] * 10


def test_who_replaces_a_token_is_not_refused_twice_in_a_row() -> None:
    troubles, history = TokenTroubles(OPTIONS), History()
    used_up(troubles, "first")
    used_up(troubles, "second")
    assert troubles.refuse("first", history) is EXPIRED
    assert troubles.refuse("second", history) is None
    assert troubles.refuse("second", history) is EXPIRED


def test_who_failed_often_enough_is_accepted() -> None:
    troubles = TokenTroubles(OPTIONS)
    used_up(troubles, "first")
    most = MOST_FAILURES_IN_A_ROW["hostile"]
    assert troubles.refuse("first", History(failures_in_a_row=most)) is None
    assert troubles.refuse("first", History(failures_in_a_row=most - 1)) is EXPIRED


def test_a_ready_token_has_no_troubles() -> None:
    troubles = TokenTroubles(OPTIONS)
    assert {troubles.refuse(OPTIONS.api_token, History()) for _ in range(500)} == {None}


@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=1, max_value=8))
def test_clients_that_share_and_replace_tokens_are_refused_once_in_a_row(
    seed: int, clients: int
) -> None:
    """Threads take turns by chance; each replaces the shared token when it is refused."""
    rng = Random(seed)  # noqa: S311 - takes turns, protects nothing
    troubles, serials = TokenTroubles(OPTIONS), count(1)
    shared = f"token {next(serials)}"
    histories = [History() for _ in range(clients)]
    held = [shared] * clients
    refused = [0] * clients
    for _ in range(600):
        client = rng.randrange(clients)
        if troubles.refuse(held[client], histories[client]) is None:
            refused[client] = 0
            held[client] = shared
            continue
        refused[client] += 1
        assert refused[client] == 1
        if held[client] == shared:
            shared = f"token {next(serials)}"
        held[client] = shared
