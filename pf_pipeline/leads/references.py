"""Listing references: the key on which a lead meets the brokerage's property.

The reference is the one that the CRM itself sent to the portal (guide, "search by reference"),
but people retype it: case and blanks differ in practice.
"""

import re
import unicodedata

import pandas as pd

BLANKS_AND_INVISIBLES = re.compile(
    r"[\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+"
)
"""Also the marks of writing direction, which copied text brings along where Arabic is around."""


def normalise_reference(reference: str) -> str:
    """A reference without its case, blanks and invisible characters; may come out empty."""
    compatible = unicodedata.normalize("NFKC", reference)
    folded = unicodedata.normalize("NFKC", compatible.casefold())
    visible = BLANKS_AND_INVISIBLES.sub("", folded)
    return unicodedata.normalize("NFKC", visible)  # an accent may have been kept from its letter


def normalise_references(references: pd.Series) -> pd.Series:
    """:func:`normalise_reference` for a column; missing and empty ones come out missing."""
    keys = {value: normalise_reference(value) or None for value in references.dropna().unique()}
    return references.map(keys).astype("str")
