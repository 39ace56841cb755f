"""Choosing by shares.

Belongs here: the one way in which the sandbox turns a table of shares into a choice.
"""

from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

Choice = TypeVar("Choice")


class Shares(Generic[Choice]):
    """Things to choose from, each with its share of the whole."""

    def __init__(self, shares: Mapping[Choice, int]) -> None:
        self._choices = tuple(shares)
        self._cumulative = tuple(accumulate(shares.values()))

    def choose(self, rng: Random) -> Choice:
        """Choose one; how often each comes up is its share of the sum of all shares."""
        return rng.choices(self._choices, cum_weights=self._cumulative)[0]
