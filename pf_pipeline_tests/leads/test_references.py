import unicodedata

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pf_pipeline.leads.references import normalise_reference, normalise_references
from pf_pipeline_tests.leads.builders import every_text, thorough

INVISIBLE = [
    " ", "\t", "\n", "\u00a0", "\u202f", "\u3000", "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e",
    "\u200f", "\u061c", "\u202b", "\u202c", "\u2060", "\u2066", "\u2069", "\ufe0f", "\ufeff",
]  # fmt: skip

# Letters whose marks compose with them, letters that fold to several, digits in other shapes.
hard_characters = st.sampled_from(
    [*INVISIBLE, *"aeßİςΣ\u0131ΐ\u0345\u0301\u0327ﬁ①\uff21é\u0627\u0654"]
)
references = every_text | st.text(hard_characters, max_size=6)
written_references = st.from_regex(r"[A-Z]{2,4}-[A-Z]{3,8}-[0-9]{1,4}", fullmatch=True)


@given(references)
@example("e\u200b\u0301")
@thorough
def test_normalising_twice_is_normalising_once(reference: str) -> None:
    once = normalise_reference(reference)
    assert normalise_reference(once) == once


@given(written_references, st.data())
@thorough
def test_case_and_blanks_do_not_matter(reference: str, data: st.DataObject) -> None:
    retyped = "".join(
        data.draw(st.text(st.sampled_from(INVISIBLE), max_size=1))
        + data.draw(st.sampled_from([character.lower(), character.upper()]))
        for character in reference
    )
    assert normalise_reference(retyped) == normalise_reference(reference) == reference.lower()


@pytest.mark.parametrize("blank", INVISIBLE, ids=lambda blank: f"U+{ord(blank):04X}")
def test_a_blank_or_invisible_character_does_not_matter(blank: str) -> None:
    retyped = f"{blank}APT{blank}{blank}-101{blank}"
    assert normalise_reference(retyped) == "apt-101"


@given(references)
@thorough
def test_how_accents_are_encoded_does_not_matter(reference: str) -> None:
    assert normalise_reference(unicodedata.normalize("NFD", reference)) == normalise_reference(
        reference
    )


def test_full_width_digits_and_letters_are_plain_ones() -> None:
    written = "\uff21\uff30\uff34\uff0d\uff11\uff10\uff11"
    assert normalise_reference(written) == "apt-101"


@given(written_references, written_references)
@thorough
def test_different_references_stay_different(one: str, other: str) -> None:
    assert (normalise_reference(one) == normalise_reference(other)) == (one == other)


def test_dashes_and_leading_zeros_matter() -> None:
    assert len({normalise_reference(text) for text in ("APT-101", "APT101", "APT-0101")}) == 3


@given(st.lists(st.none() | references, max_size=8))
@thorough
def test_a_column_is_normalised_value_by_value(values: list[str | None]) -> None:
    clean = [value and value.encode("utf-8", "replace").decode() for value in values]
    keys = normalise_references(pd.Series(clean, dtype="str"))
    expected = [normalise_reference(value) or None if value else None for value in clean]
    assert keys.isna().tolist() == [key is None for key in expected]
    assert keys.dropna().tolist() == [key for key in expected if key]


@pytest.mark.parametrize("values", [[], [None], [None, ""], [" ", "\u200b", "\u00a0"]])
def test_empty_and_missing_references_come_out_missing(values: list[str | None]) -> None:
    keys = normalise_references(pd.Series(values, dtype="str"))
    assert keys.isna().all()
    assert len(keys) == len(values)
    assert keys.dtype == pd.Series([], dtype="str").dtype


def test_index_and_name_are_kept() -> None:
    keys = normalise_references(pd.Series(["APT 1", None], index=[7, 3], name="ref", dtype="str"))
    assert (keys.index.tolist(), keys.name) == ([7, 3], "ref")
