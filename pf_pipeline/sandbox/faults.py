"""Which fault befalls which attempt of a request (sections 2 and 7 of the reference).

Belongs here: the kinds of faults, how often each level has them, and the plan of a request, a pure
function of the seed and the request. ``misbehaving`` carries the plans out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, Literal

from pf_pipeline.sandbox.chance import Shares

FaultLevel = Literal["none", "rough", "hostile"]
"""How the sandbox misbehaves: not at all; in ways that show in each answer; in every way."""


class FaultKind(StrEnum):
    """What can go wrong with an answer; the values are the names in ``/sandbox/stats``."""

    TOKEN_REFUSED_WHEN_FRESH = "token_refused_when_fresh"  # noqa: S105 - a name, not a token
    TOKEN_EXPIRED_EARLY = "token_expired_early"  # noqa: S105 - a name, not a token
    FORBIDDEN_BY_CDN = "forbidden_by_cdn"
    TOO_MANY_WITH_RETRY_AFTER = "too_many_with_retry_after"
    TOO_MANY = "too_many"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_IN_HTML = "server_error_in_html"
    TRUNCATED_JSON = "truncated_json"
    HTML_PAGE = "html_page"
    LABELLED_AS_TEXT = "labelled_as_text"
    SLOW_DRIP = "slow_drip"
    RESET_BEFORE_ANSWER = "reset_before_answer"
    RESET_MIDWAY = "reset_midway"
    LOOPING_NEXT_PAGE = "looping_next_page"
    TOO_FEW_PAGES = "too_few_pages"
    TOO_MANY_PAGES = "too_many_pages"
    EMPTY_PAGE = "empty_page"
    REPEATED_LEADS = "repeated_leads"
    NULLS = "nulls"


WRONG_DATA: Final = frozenset({
    FaultKind.LOOPING_NEXT_PAGE,
    FaultKind.TOO_FEW_PAGES,
    FaultKind.TOO_MANY_PAGES,
    FaultKind.EMPTY_PAGE,
    FaultKind.REPEATED_LEADS,
})  # fmt: skip
"""Answers that look right and are not: only a comparison with ``total`` or other pages tells."""

HARMLESS: Final = frozenset({FaultKind.SLOW_DRIP, FaultKind.NULLS})
"""Odd answers that say what the usual one would."""

MOST_FAILURES_IN_A_ROW: Final[Mapping[FaultLevel, int]] = {"none": 0, "rough": 2, "hostile": 3}
"""How often in a row the same request can fail at most, for a client that replaces a refused
token. At most one of these is a 200 with wrong data: asked once more, such a page is right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: What goes wrong.
        draw: From 0 up to 1: chooses among the variants of the kind, such as the status.
    """

    kind: FaultKind
    draw: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rates:
    """How often requests fail, and in which ways.

    Attributes:
        first: The share of requests whose first attempt fails.
        again: The share of failed attempts after which the next one fails too.
        kinds: The ways, with shares.
    """

    first: float
    again: float
    kinds: Shares[FaultKind]


_SHOWING: Final = {
    FaultKind.FORBIDDEN_BY_CDN: 8,
    FaultKind.TOO_MANY_WITH_RETRY_AFTER: 4,
    FaultKind.TOO_MANY: 8,
    FaultKind.SERVER_ERROR: 14,
    FaultKind.SERVER_ERROR_IN_HTML: 10,
    FaultKind.TRUNCATED_JSON: 8,
    FaultKind.HTML_PAGE: 6,
    FaultKind.LABELLED_AS_TEXT: 4,
    FaultKind.SLOW_DRIP: 4,
    FaultKind.RESET_BEFORE_ANSWER: 7,
    FaultKind.RESET_MIDWAY: 7,
}
_DECEPTIVE: Final = {
    FaultKind.LOOPING_NEXT_PAGE: 6,
    FaultKind.TOO_FEW_PAGES: 6,
    FaultKind.TOO_MANY_PAGES: 6,
    FaultKind.EMPTY_PAGE: 7,
    FaultKind.REPEATED_LEADS: 8,
}
_SHOWING_SHARES: Final = Shares(_SHOWING)
_RATES: Final[Mapping[FaultLevel, _Rates]] = {
    "none": _Rates(0.0, 0.0, _SHOWING_SHARES),
    "rough": _Rates(0.07, 0.25, _SHOWING_SHARES),
    "hostile": _Rates(0.24, 0.3, Shares({**_SHOWING, **_DECEPTIVE, FaultKind.NULLS: 7})),
}
"""Of all attempts about 8 % fail at ``rough`` and about 25 % at ``hostile``."""

_EVERY_HOW_MANY_TOKENS: Final = 3
_TOKEN_USES: Final[Mapping[FaultLevel, tuple[int, int]]] = {
    "none": (0, 0),
    "rough": (150, 400),
    "hostile": (40, 160),
}


def planned_faults(level: FaultLevel, seed: int, request: str) -> tuple[Fault, ...]:
    """The faults of the first attempts of a request; every later attempt goes well.

    A pure function: the same arguments always give the same faults, in this or another process.

    Args:
        level: How much goes wrong.
        seed: The seed of the sandbox.
        request: What makes a request the same as another: path and query, never the token.
    """
    rates = _RATES[level]
    rng = Random(f"{seed}:{request}:faults")  # noqa: S311 - invents faults, protects nothing
    faults: list[Fault] = []
    share = rates.first
    while len(faults) < MOST_FAILURES_IN_A_ROW[level] and rng.random() < share:
        kind = rates.kinds.choose(rng)
        if kind in WRONG_DATA and any(fault.kind in WRONG_DATA for fault in faults):
            kind = _SHOWING_SHARES.choose(rng)
        faults.append(Fault(kind, rng.random()))
        share = rates.again
    return tuple(faults)


def is_refused_when_fresh(level: FaultLevel, serial: int) -> bool:
    """Whether a sandbox refuses the first use of its n-th token, counted from 1: every third one.

    The first is one of them. Never two in a row: a second refusal means that the key is revoked
    (contract).
    """
    return level != "none" and serial % _EVERY_HOW_MANY_TOKENS == 1


def uses_until_expiry(level: FaultLevel, seed: int, serial: int) -> int:
    """How many requests the n-th token (from 1) opens before it expires, well within 30 minutes."""
    least, most = _TOKEN_USES[level]
    rng = Random(f"{seed}:{serial}:token")  # noqa: S311 - invents faults, protects nothing
    return rng.randint(least, most)
