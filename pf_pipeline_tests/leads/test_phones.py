import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import pandas as pd
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.leads.phones import COUNTRIES_OF_MOST_CALLERS, MOBILE_ABROAD, to_e164
from pf_pipeline_tests.leads.builders import thorough

COUNTRIES = ("AE", "SA", "GB", "US", "DE", "IN")

countries = st.sampled_from(COUNTRIES)
digits = st.text("0123456789", min_size=4, max_size=15)
number_like = st.builds("{}{}".format, st.sampled_from(["", "+", "00", "0", "+971", "971"]), digits)
phones = (
    st.none()
    | st.text(max_size=20)
    | number_like
    | st.text("+0123456789 -()./x;,\u0660\u0665", max_size=25)
)


def as_series(values: Sequence[str | None]) -> pd.Series:
    return pd.Series(values, dtype="str")


def as_list(phones: pd.Series) -> list[str | None]:
    return [
        None if missing else phone for phone, missing in zip(phones, phones.isna(), strict=True)
    ]


def by_the_library(phone: str | None, country: str) -> str | None:
    """What ``phonenumbers`` says of a single number."""
    try:
        number = phonenumbers.parse(phone or "", country)
    except phonenumbers.NumberParseException:
        return None
    e164 = phonenumbers.PhoneNumberFormat.E164
    is_valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, e164) if is_valid else None


def numbers_of(country: str) -> st.SearchStrategy[str]:
    """Mobile numbers of a country with its code, by the library's own plan."""
    plan: Any = phonenumbers.PhoneMetadata.metadata_for_region(country)
    mobile = re.compile(plan.mobile.national_number_pattern, re.ASCII)
    return st.from_regex(mobile, fullmatch=True).map(lambda number: f"{plan.country_code}{number}")


@given(st.lists(phones, max_size=8), countries)
@thorough
def test_every_number_is_what_the_library_says(values: list[str | None], country: str) -> None:
    expected = [by_the_library(phone, country) for phone in values]
    assert as_list(to_e164(as_series(values), country)) == expected


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_prefix_of_a_uae_mobile_is_what_the_library_says(country: str) -> None:
    written = [
        "".join(parts)
        for parts in product(
            ("+971", "00971", "971", "0", "", "+9710", "9710"),
            ("50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "4"),
            ("0000000", "1234567", "9999999", "123456", "12345678"),
        )
    ]
    expected = [by_the_library(phone, country) for phone in written]
    assert as_list(to_e164(as_series(written), country)) == expected
    assert any(expected)


abroad = st.sampled_from(COUNTRIES_OF_MOST_CALLERS).flatmap(numbers_of)


@given(
    abroad,
    st.sampled_from(["+", "00", "", "+0", "000"]),
    st.sampled_from(["", "1"]),
    st.none() | st.tuples(st.integers(0, 20), st.sampled_from("0123456789")),
    countries,
)
@thorough
def test_every_mobile_number_from_abroad_and_its_neighbours_are_what_the_library_says(
    number: str, dialled: str, end: str, changed: tuple[int, str] | None, country: str
) -> None:
    if changed is not None:
        place, digit = changed
        number = number[:place] + digit + number[place + 1 :]
    written = dialled + number + end
    assert as_list(to_e164(as_series([written]), country)) == [by_the_library(written, country)]


@given(abroad, st.sampled_from(["+", "00"]))
@thorough
def test_a_mobile_number_from_abroad_is_settled_without_the_library(
    number: str, dialled: str
) -> None:
    assert MOBILE_ABROAD.fullmatch(dialled + number)


spelled = st.lists(
    st.sampled_from(["", "", "", " ", "-", ".", "(", ")", " - "]), min_size=20, max_size=20
)


@given(
    st.sampled_from(["+971", "00971", "971", "0", ""]),
    st.sampled_from("024568"),
    st.text("0123456789", min_size=7, max_size=7),
    spelled,
    countries,
)
@thorough
def test_every_spelling_of_a_uae_mobile_is_what_the_library_says(
    prefix: str, operator: str, subscriber: str, between: list[str], country: str
) -> None:
    characters = f"{prefix}5{operator}{subscriber}"
    written = "".join(gap + character for gap, character in zip(between, characters, strict=False))
    assert as_list(to_e164(as_series([written]), country)) == [by_the_library(written, country)]


@given(abroad, st.sampled_from(["+", "00"]), spelled)
@thorough
def test_every_spelling_of_a_mobile_number_from_abroad_is_what_the_library_says(
    number: str, dialled: str, between: list[str]
) -> None:
    written = "".join(
        gap + character for gap, character in zip(between, dialled + number, strict=False)
    )
    assert as_list(to_e164(as_series([written]), "AE")) == [by_the_library(written, "AE")]


@pytest.mark.parametrize(
    "written",
    ["+971501234567", "00971501234567", "971501234567", "0501234567", "501234567",
     "050 123 4567", "050-123-4567", "(050) 123.4567", "+971 (0)50 123 4567", "٠٥٠١٢٣٤٥٦٧"],
)  # fmt: skip
def test_one_person_is_one_number_however_it_was_typed(written: str) -> None:
    assert as_list(to_e164(as_series([written]), "AE")) == ["+971501234567"]


@pytest.mark.parametrize("length", [10, 249, 250, 251, 1000])
def test_a_text_of_any_length_is_what_the_library_says(length: int) -> None:
    written = f"050{' ' * (length - 10)}1234567"
    assert as_list(to_e164(as_series([written]), "AE")) == [by_the_library(written, "AE")]


def test_a_number_with_its_country_code_is_the_same_everywhere() -> None:
    for country in COUNTRIES:
        assert as_list(to_e164(as_series(["+447911123456"]), country)) == ["+447911123456"]


def test_a_number_without_a_country_code_belongs_to_the_country() -> None:
    assert as_list(to_e164(as_series(["07911 123456"]), "GB")) == ["+447911123456"]
    assert as_list(to_e164(as_series(["07911 123456"]), "AE")) == [None]


@given(st.lists(phones, max_size=8), countries, countries)
@thorough
def test_a_number_in_e164_stays_as_it_is(
    values: list[str | None], country: str, other: str
) -> None:
    once = to_e164(as_series(values), country)
    pd.testing.assert_series_equal(to_e164(once, other), once)


def test_what_is_missing_stays_missing() -> None:
    assert as_list(to_e164(as_series([None, "0501234567", None]), "AE")) == [
        None,
        "+971501234567",
        None,
    ]


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_nothing_gives_nothing_of_the_same_type(values: list[str | None], country: str) -> None:
    pd.testing.assert_series_equal(to_e164(as_series(values), country), as_series(values))


def test_index_and_name_are_kept() -> None:
    written = pd.Series(["0501234567", "nonsense"], index=[7, 3], name="phone", dtype="str")
    e164 = to_e164(written, "AE")
    assert e164.index.tolist() == [7, 3]
    assert e164.name == "phone"


def test_the_numbers_given_are_left_alone() -> None:
    written = as_series(["0501234567", None])
    to_e164(written, "AE")
    assert as_list(written) == ["0501234567", None]
