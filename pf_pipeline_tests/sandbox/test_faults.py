import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.sandbox.faults import (
    HARMLESS,
    MOST_FAILURES_IN_A_ROW,
    WRONG_DATA,
    FaultKind,
    FaultLevel,
    is_refused_when_fresh,
    planned_faults,
    uses_until_expiry,
)

levels = st.sampled_from(sorted(MOST_FAILURES_IN_A_ROW))
requests = st.text(max_size=60)
TOKEN_KINDS = {FaultKind.TOKEN_REFUSED_WHEN_FRESH, FaultKind.TOKEN_EXPIRED_EARLY}


@given(levels, st.integers(), requests)
def test_a_request_fails_so_often_and_then_succeeds(
    level: FaultLevel, seed: int, request: str
) -> None:
    assert len(planned_faults(level, seed, request)) <= MOST_FAILURES_IN_A_ROW[level]


@given(levels, st.integers(), requests)
def test_a_page_is_wrong_once_at_most(level: FaultLevel, seed: int, request: str) -> None:
    kinds = [fault.kind for fault in planned_faults(level, seed, request)]
    assert sum(kind in WRONG_DATA for kind in kinds) <= 1


@given(levels, st.integers(), requests)
def test_the_same_request_has_the_same_faults(level: FaultLevel, seed: int, request: str) -> None:
    assert planned_faults(level, seed, request) == planned_faults(level, seed, request)


def test_another_process_plans_the_same_faults() -> None:
    program = (
        "from pf_pipeline.sandbox.faults import planned_faults; "
        "print([planned_faults('hostile', 3, f'/v1/leads?page={page}') for page in range(30)])"
    )
    planned = subprocess.check_output(  # noqa: S603 - the command is written above
        [sys.executable, "-c", program], text=True, env={**os.environ, "PYTHONHASHSEED": "123"}
    )
    here = [planned_faults("hostile", 3, f"/v1/leads?page={page}") for page in range(30)]
    assert planned.strip() == str(here)


def test_another_seed_has_other_faults() -> None:
    plans = [
        [planned_faults("hostile", seed, f"/v1/leads?page={page}") for page in range(30)]
        for seed in (1, 2)
    ]
    assert plans[0] != plans[1]


@pytest.mark.parametrize(
    ("level", "least", "most"),
    [("none", 0.0, 0.0), ("rough", 0.07, 0.09), ("hostile", 0.23, 0.27)],
)
def test_so_many_attempts_fail(level: FaultLevel, least: float, most: float) -> None:
    plans = [planned_faults(level, 1, f"/v1/leads?page={page}") for page in range(10_000)]
    faults = sum(map(len, plans))
    assert least <= faults / (faults + len(plans)) <= most
    assert max(map(len, plans)) == MOST_FAILURES_IN_A_ROW[level]


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("rough", set(FaultKind) - TOKEN_KINDS - WRONG_DATA - {FaultKind.NULLS}),
        ("hostile", set(FaultKind) - TOKEN_KINDS),
    ],
)
def test_a_level_has_all_its_kinds(level: FaultLevel, kinds: set[FaultKind]) -> None:
    planned = Counter(
        fault.kind
        for page in range(5_000)
        for fault in planned_faults(level, 1, f"/v1/leads?page={page}")
    )
    assert planned.keys() == kinds
    assert min(planned.values()) > 10


@given(levels, st.integers(min_value=1, max_value=1_000))
def test_two_fresh_tokens_in_a_row_are_never_refused(level: FaultLevel, serial: int) -> None:
    assert not (is_refused_when_fresh(level, serial) and is_refused_when_fresh(level, serial + 1))


@pytest.mark.parametrize(("level", "refused"), [("none", False), ("rough", True)])
def test_the_first_token_is_refused_when_fresh(level: FaultLevel, *, refused: bool) -> None:
    assert is_refused_when_fresh(level, 1) is refused


@given(st.sampled_from(["rough", "hostile"]), st.integers(), st.integers(min_value=1))
def test_a_token_opens_some_dozens_of_requests(level: FaultLevel, seed: int, serial: int) -> None:
    assert 40 <= uses_until_expiry(level, seed, serial) <= 400


def test_what_is_harmless_is_not_wrong() -> None:
    assert not HARMLESS & WRONG_DATA
