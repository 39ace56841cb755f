"""Phone numbers in E.164, so that one person is one number however it was typed.

``phonenumbers`` decides. Because it costs some 40 microseconds a number, each distinct value is
asked for once, and patterns settle the commonest cases by themselves: mobile numbers of the UAE,
and those of the countries from where most others inquire.
"""

import re
from typing import Any

import pandas as pd
import phonenumbers

UAE_MOBILE = re.compile(r"(?:\+|00)?971(5[024568][0-9]{7})|0?(5[024568][0-9]{7})")
"""A UAE mobile number in its usual spellings, without blanks and punctuation.

A test holds this equal to what ``phonenumbers`` says for every prefix that it accepts.
"""
COUNTRIES_OF_MOST_CALLERS = (
    "BH", "DE", "EG", "FR", "GB", "IN", "JO", "KW", "LB", "OM", "PH", "PK", "QA", "RU", "SA",
)  # fmt: skip
PUNCTUATION = str.maketrans("", "", " -().")
LONGEST_TEXT = 250
"""``phonenumbers`` takes nothing longer for a number."""


def to_e164(phones: pd.Series, country: str) -> pd.Series:
    """Normalise phone numbers.

    Args:
        phones: Numbers as sent; missing values allowed.
        country: Two-letter code that numbers without a country code belong to.

    Returns:
        The numbers in E.164, missing where a text is no valid number; same index.
    """
    e164 = {phone: _normalised(phone, country) for phone in phones.dropna().unique()}
    return phones.map(e164).astype("str")


def _normalised(phone: str, country: str) -> str | None:
    by_pattern = _by_pattern(phone) if country == "AE" else None
    return by_pattern or _by_library(phone, country)


def _by_pattern(phone: str) -> str | None:
    """The number as dialled in the UAE, if a pattern knows it; else nothing is said of it."""
    if len(phone) > LONGEST_TEXT:
        return None
    written = phone.translate(PUNCTUATION)
    if mobile := UAE_MOBILE.fullmatch(written):
        return f"+971{mobile[1] or mobile[2]}"
    if mobile := MOBILE_ABROAD.fullmatch(written):
        return f"+{mobile[1]}"
    return None


def _mobile_pattern(country: str) -> str:
    """The country's code and what the library's own plan takes for a mobile number there."""
    plan: Any = phonenumbers.PhoneMetadata.metadata_for_region(country)
    return f"{plan.country_code}(?:{plan.mobile.national_number_pattern})"


MOBILE_ABROAD = re.compile(
    rf"(?:\+|00)({'|'.join(map(_mobile_pattern, COUNTRIES_OF_MOST_CALLERS))})", re.ASCII
)
"""A mobile number of another country, dialled from the UAE: with a plus or 00 in front.

A test holds this equal to what ``phonenumbers`` says of numbers of each of these plans.
"""


def _by_library(phone: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
