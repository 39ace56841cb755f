"""What a lead is, column by column: the pandera schema and its lazy validation.

A row is one *observation* of a lead: what a poll or a webhook delivery said of it. The same lead,
seen again with other contents (a new status, a recording), is another observation; seen again
unchanged, it is the same one, seen until later. :mod:`pf_pipeline.leads.merging` makes one lead
of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pandas as pd
import pandera.pandas as pa
from pandera import dtypes
from pandera.engines.pandas_engine import STRING
from pandera.errors import SchemaErrors
from pandera.typing.pandas import Series


@dtypes.immutable(init=True)
class Text(STRING):
    """Arrow-backed text, which holds nothing else.

    pandera's own type prepares a report of every column's bad values also where there are none:
    half the time that a few leads take.
    """

    def check(
        self,
        pandera_dtype: dtypes.DataType,
        data_container: object = None,  # noqa: ARG002 - pandera passes it
    ) -> bool:
        """Whether a column has this type."""
        return isinstance(pandera_dtype, STRING) and pandera_dtype.type == self.type


Instant = Annotated[pd.DatetimeTZDtype, "us", "UTC"]

MAX_ID_LENGTH = 200
EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)
"""The portal was founded in 2005: an earlier lead has a broken instant."""
CLOCK_TOLERANCE = timedelta(days=1)
"""How far a lead may lie in the future of its own observation before its instant is broken."""


class Observation(pa.DataFrameModel):
    """One observation of a lead."""

    lead_id: Series[Text] = pa.Field(
        str_length={"min_value": 1, "max_value": MAX_ID_LENGTH},
        description="The portal's id of the lead, opaque.",
    )
    observed_by: Series[Text] = pa.Field(
        isin=["poll", "webhook"], description="How it was seen: by a poll or a webhook delivery."
    )
    content_id: Series[Text] = pa.Field(
        description="Names the contents: equal contents of a lead have the same one."
    )
    first_observed_at: Series[Instant] = pa.Field(
        description="When these contents were first seen, UTC."
    )
    last_observed_at: Series[Instant] = pa.Field(
        description="When these contents were last seen, UTC."
    )
    first_received_at: Series[Instant] = pa.Field(
        description="When these contents first arrived here, UTC: a webhook's event is older."
    )
    times_observed: Series[int] = pa.Field(ge=1, description="How often they were seen.")
    created_at: Series[Instant] = pa.Field(description="When the inquiry was made, UTC.")
    channel: Series[Text] = pa.Field(
        description="whatsapp, email, call, chat; new channels are kept as they come."
    )
    status: Series[Text] = pa.Field(
        nullable=True, description="sent, delivered, read, replied; new ones are kept (atlas)."
    )
    entity_type: Series[Text] = pa.Field(
        nullable=True, description="listing, company, agent, project, developer (atlas)."
    )
    name: Series[Text] = pa.Field(nullable=True, description="The client's name, as sent.")
    email: Series[Text] = pa.Field(nullable=True, description="The client's email, as sent.")
    phone: Series[Text] = pa.Field(nullable=True, description="The client's phone, as sent.")
    phone_e164: Series[Text] = pa.Field(
        nullable=True,
        # Not E.164's 15 digits at most: Germany, Japan, Indonesia and others have longer numbers.
        str_matches=r"^\+[1-9][0-9]+$",
        description="The phone in E.164; missing where it is no valid number.",
    )
    whatsapp_username: Series[Text] = pa.Field(
        nullable=True, description="The client's WhatsApp handle (atlas)."
    )
    message: Series[Text] = pa.Field(nullable=True, description="The client's message (guide).")
    listing_id: Series[Text] = pa.Field(
        nullable=True, description="The portal's id of the listing."
    )
    listing_reference: Series[Text] = pa.Field(
        nullable=True, description="The brokerage's own reference of the property, as sent."
    )
    reference_key: Series[Text] = pa.Field(
        nullable=True, description="The reference without case and blanks."
    )
    listing_title: Series[Text] = pa.Field(
        nullable=True, description="The listing's title (guide)."
    )
    portal_agent_id: Series[Text] = pa.Field(
        nullable=True, description="The portal's id of the agent who got the lead."
    )
    portal_agent_kind: Series[Text] = pa.Field(
        nullable=True,
        isin=["user", "profile"],
        description="Which id that is: a user's (guide) or a public profile's (atlas).",
    )
    portal_agent_name: Series[Text] = pa.Field(nullable=True, description="That agent's name.")
    response_link: Series[Text] = pa.Field(
        nullable=True,
        description="Opening it marks the lead as replied at the portal: never requested.",
    )
    recording_url: Series[Text] = pa.Field(
        nullable=True, str_matches=r"(?i)^https?://", description="Link to the call's recording."
    )
    talk_seconds: Series[pd.Int64Dtype] = pa.Field(
        nullable=True, ge=0, description="How long the call lasted, seconds."
    )
    wait_seconds: Series[pd.Int64Dtype] = pa.Field(
        nullable=True, ge=0, description="How long the caller waited, seconds."
    )
    tags: Series[Text] = pa.Field(nullable=True, description="The portal's tags, a JSON list.")
    extra: Series[Text] = pa.Field(
        nullable=True, description="Fields without a column of their own, a JSON object."
    )

    class Config:
        """Every column, no other, in this order, with these types."""

        strict = True
        ordered = True
        coerce = True

    @pa.dataframe_check(name="created_at is not before 2005 nor in the future")
    @classmethod
    def _created_at_is_plausible(cls, frame: pd.DataFrame) -> "pd.Series[bool]":
        latest = frame["last_observed_at"] + CLOCK_TOLERANCE
        return frame["created_at"].between(pd.Timestamp(EARLIEST), latest)


COLUMNS = tuple(Observation.to_schema().columns)
"""The columns of an observation, in the order in which they are stored."""


@dataclass(frozen=True)
class Validated:
    """The outcome of a validation.

    Attributes:
        good: The rows that hold, coerced to the schema's types.
        reasons: For every other row, by its index: what is wrong with it.
    """

    good: pd.DataFrame
    reasons: pd.Series


def validate(observations: pd.DataFrame) -> Validated:
    """Check observations against :class:`Observation`, all rows and all rules at once.

    Args:
        observations: The schema's columns, in any dtype that can be coerced; a unique, whole
            index.

    Raises:
        SchemaErrors: The frame itself is wrong (a column is missing, or cannot be coerced), which
            no portal data can cause: the parser gives each column its type.
    """
    try:
        return Validated(Observation.validate(observations, lazy=True), pd.Series([], dtype="str"))
    except SchemaErrors as errors:
        cases = errors.failure_cases
        if cases["index"].isna().any():
            raise
        reasons = _reasons(cases)
        # Every rule looks at one row alone: without the bad rows, what was coerced holds.
        return Validated(errors.data.drop(index=reasons.index), reasons)


def _reasons(cases: pd.DataFrame) -> pd.Series:
    """One phrase a row from pandera's failure cases, naming columns and rules, not values."""
    columns = cases["column"].where(cases["schema_context"] == "Column", "")
    rules = (columns.astype("str") + " " + cases["check"].astype("str")).str.strip()
    return rules.groupby(cases["index"].astype("int64")).agg(
        lambda found: "; ".join(dict.fromkeys(found))
    )
