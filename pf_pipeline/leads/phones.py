"""Phone numbers in E.164, so that one person is one number however it was typed.

``phonenumbers`` decides. Because it costs some 40 microseconds a number, each distinct value is
asked for once, and a pattern settles the commonest case by itself: UAE mobile numbers.
"""

import pandas as pd
import phonenumbers

UAE_COUNTRY_CODE = "+971"
UAE_MOBILE = r"^(?:\+971|00971|971|0)?(5[024568][0-9]{7})$"
"""A UAE mobile number in its usual spellings, without blanks and punctuation.

A test holds this equal to what ``phonenumbers`` says for every prefix that it accepts.
"""
PUNCTUATION = r"[ \-().]"
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
    distinct = pd.Series(phones.dropna().unique(), dtype="str")
    e164 = _uae_mobiles(distinct) if country == "AE" else pd.Series(None, distinct.index, "str")
    unsettled = e164.isna()
    e164[unsettled] = [_by_library(phone, country) for phone in distinct[unsettled]]
    return phones.map(dict(zip(distinct, e164, strict=True))).astype("str")


def _uae_mobiles(phones: pd.Series) -> pd.Series:
    candidates = phones.where(phones.str.len() <= LONGEST_TEXT)
    digits = candidates.str.replace(PUNCTUATION, "", regex=True)
    return UAE_COUNTRY_CODE + digits.str.extract(UAE_MOBILE, expand=False)


def _by_library(phone: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
