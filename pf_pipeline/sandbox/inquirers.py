"""The invented people who inquire: their names, addresses and the ways they type a phone number.

Belongs here: everything about a person that stays the same from one inquiry to the next, and the
formats of a phone. What they ask for is decided in ``inquiry``.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Final

from pf_pipeline.sandbox.chance import Shares
from pf_pipeline.sandbox.vocabulary import (
    ARABIC_FIRST_NAMES,
    ARABIC_LAST_NAMES,
    LATIN_FIRST_NAMES,
    LATIN_LAST_NAMES,
    NUMBER_PLANS,
    UAE,
    NumberPlan,
)

_ARABIC_SHARE: Final = 0.4
_REGULARS: Final = 400
_EMAIL_DOMAINS: Final = ("example.com", "example.org", "example.net", "mail.example")

_INTERNATIONAL_STYLES: Final = Shares({
    "+{code}{number}": 60,
    "00{code}{number}": 22,
    "+{code} {spaced}": 18,
})  # fmt: skip
_UAE_STYLES: Final = Shares({
    "+{code}{number}": 45,
    "00{code}{number}": 14,
    "+{code} {spaced}": 9,
    "0{spaced}": 15,
    "0{number}": 10,
    "{code}-{dashed}": 7,
})  # fmt: skip
"""Formats without a plus occur for the UAE only: anywhere else nobody could read them."""


@dataclass(frozen=True, slots=True)
class Inquirer:
    """Somebody who is looking for a property.

    Attributes:
        name: Full name, in Latin or Arabic script.
        arabic: Whether the person writes Arabic.
        plan: The country's mobile numbers.
        national_number: The number without country code or leading zero.
        email: An address on a domain that is reserved for examples.
    """

    name: str
    arabic: bool
    plan: NumberPlan
    national_number: str
    email: str


def new_inquirer(rng: Random) -> Inquirer:
    """Invent a person."""
    plan = NUMBER_PLANS.choose(rng)
    free = int(rng.random() * 10**plan.free_digits)
    national_number = f"{rng.choice(plan.prefixes)}{free:0{plan.free_digits}}"
    arabic = rng.random() < _ARABIC_SHARE
    if arabic:
        name = f"{rng.choice(ARABIC_FIRST_NAMES)} {rng.choice(ARABIC_LAST_NAMES)}"
    else:
        name = f"{rng.choice(LATIN_FIRST_NAMES)} {rng.choice(LATIN_LAST_NAMES)}"
    email = f"client.{national_number[-6:]}@{rng.choice(_EMAIL_DOMAINS)}"
    return Inquirer(name, arabic, plan, national_number, email)


@lru_cache(maxsize=8)
def regular_inquirers(seed: int) -> tuple[Inquirer, ...]:
    """The people who inquire again and again, over all days of a seed."""
    rng = Random(f"{seed}:regulars")  # noqa: S311 - invents people, protects nothing
    return tuple(new_inquirer(rng) for _ in range(_REGULARS))


def phone_as_typed(rng: Random, inquirer: Inquirer) -> str:
    """The person's number in one of the formats in which the portal passes numbers on."""
    plan, number = inquirer.plan, inquirer.national_number
    ends = accumulate(plan.groups)
    groups = [number[end - size : end] for end, size in zip(ends, plan.groups, strict=True)]
    style = (_UAE_STYLES if plan is UAE else _INTERNATIONAL_STYLES).choose(rng)
    return style.format(
        code=plan.country_code, number=number, spaced=" ".join(groups), dashed="-".join(groups)
    )
