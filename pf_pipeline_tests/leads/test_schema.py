from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from pf_pipeline.leads.schema import COLUMNS, Observation, validate
from pf_pipeline_tests.leads.builders import (
    NOON,
    Row,
    atlas_lead,
    frame_like,
    guide_lead,
    observations_of,
    rows_of,
    with_validation,
)

GOOD = observations_of(
    *(make(id=f"lead_{n}") for n in range(3) for make in (guide_lead, atlas_lead))
)

IMPLAUSIBLE = "created_at is not before 2005 nor in the future"

DAMAGES: list[tuple[str, object, str]] = [
    ("lead_id", "", "lead_id str_length(1, 200)"),
    ("lead_id", "x" * 201, "lead_id str_length(1, 200)"),
    ("lead_id", None, "lead_id not_nullable"),
    ("observed_by", "hearsay", "observed_by isin(['poll', 'webhook'])"),
    ("content_id", None, "content_id not_nullable"),
    ("times_observed", 0, "times_observed greater_than_or_equal_to(1)"),
    ("created_at", NOON.replace(year=2004), IMPLAUSIBLE),
    ("created_at", NOON + timedelta(days=1, seconds=1), IMPLAUSIBLE),
    ("channel", None, "channel not_nullable"),
    ("phone_e164", "0501234567", "phone_e164 str_matches('^\\+[1-9][0-9]+$')"),
    ("portal_agent_kind", "robot", "portal_agent_kind isin(['user', 'profile'])"),
    ("recording_url", "ftp://x", "recording_url str_matches('(?i)^https?://')"),
    ("talk_seconds", -1, "talk_seconds greater_than_or_equal_to(0)"),
    ("wait_seconds", -1, "wait_seconds greater_than_or_equal_to(0)"),
]


def with_damage(frame: pd.DataFrame, *damages: tuple[int, str, object]) -> pd.DataFrame:
    """The frame with other values in some cells: row, column, value."""
    rows = rows_of(frame)
    for row, column, value in damages:
        rows[row][column] = value
    return frame_like(frame, rows)


def test_good_rows_come_back_as_they_are() -> None:
    outcome = validate(GOOD)
    assert rows_of(outcome.good) == rows_of(GOOD)
    assert outcome.reasons.empty


@pytest.mark.parametrize(("column", "value", "reason"), DAMAGES)
def test_a_bad_row_has_its_reason_and_its_neighbours_are_unaffected(
    column: str, value: object, reason: str
) -> None:
    outcome = validate(with_damage(GOOD, (2, column, value)))
    assert outcome.reasons.to_dict() == {2: reason}
    assert rows_of(outcome.good) == [row for n, row in enumerate(rows_of(GOOD)) if n != 2]
    assert outcome.good.index.tolist() == [0, 1, 3, 4, 5]


def test_several_reasons_stand_together() -> None:
    damaged = with_damage(
        GOOD,
        (1, "talk_seconds", -1),
        (1, "observed_by", "hearsay"),
        (1, "created_at", NOON.replace(year=1999)),
    )
    reasons = validate(damaged).reasons.to_dict()
    assert reasons.keys() == {1}
    assert set(reasons[1].split("; ")) == {
        "observed_by isin(['poll', 'webhook'])",
        "talk_seconds greater_than_or_equal_to(0)",
        IMPLAUSIBLE,
    }


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.sampled_from(DAMAGES)), max_size=5))
@with_validation
def test_all_bad_rows_are_found_at_once_and_no_good_one(
    damages: list[tuple[int, tuple[str, object, str]]],
) -> None:
    damaged = with_damage(GOOD, *((row, column, value) for row, (column, value, _) in damages))
    outcome = validate(damaged)
    bad = {row for row, _ in damages}
    last_damages = {(row, column): reason for row, (column, _, reason) in damages}
    assert set(outcome.reasons.index) == bad
    for (row, _), reason in last_damages.items():
        assert reason in outcome.reasons[row]
    assert rows_of(outcome.good) == [row for n, row in enumerate(rows_of(GOOD)) if n not in bad]


def test_every_row_may_be_bad() -> None:
    outcome = validate(with_damage(GOOD, *((row, "channel", None) for row in range(len(GOOD)))))
    assert outcome.good.empty
    assert len(outcome.reasons) == len(GOOD)


def test_reasons_hold_no_personal_values() -> None:
    secret = "secret-7f3a"
    texts: Row = {
        column: secret
        for column in COLUMNS
        if GOOD[column].dtype == GOOD["name"].dtype and column != "lead_id"
    }
    damages = [(0, column, value) for column, value in (texts | {"lead_id": secret * 30}).items()]
    (reason,) = validate(with_damage(GOOD, *damages)).reasons
    assert reason.count(";") >= 4
    assert secret not in reason


def test_a_lead_may_be_a_day_ahead_of_the_clock_that_saw_it() -> None:
    ahead = with_damage(GOOD, (0, "created_at", NOON + timedelta(days=1)))
    assert validate(ahead).reasons.empty


@pytest.mark.parametrize("number", ["+6834000", "+49" + "2" * 15, "+8100777" + "1" * 11])
def test_a_valid_number_of_any_length_holds(number: str) -> None:
    assert validate(with_damage(GOOD, (0, "phone_e164", number))).reasons.empty


def test_what_may_be_missing_may_be_missing_throughout() -> None:
    columns = Observation.to_schema().columns
    optional = [name for name, column in columns.items() if column.nullable]
    bare = with_damage(GOOD, *((row, name, None) for row in range(len(GOOD)) for name in optional))
    outcome = validate(bare)
    assert outcome.reasons.empty
    assert outcome.good.dtypes.to_dict() == GOOD.dtypes.to_dict()


def test_every_column_is_described() -> None:
    columns = Observation.to_schema().columns
    assert tuple(columns) == COLUMNS
    assert [name for name, column in columns.items() if not column.description] == []


def test_a_frame_without_rows_is_valid() -> None:
    outcome = validate(GOOD.iloc[:0])
    assert len(outcome.good) == len(outcome.reasons) == 0
    assert outcome.good.dtypes.to_dict() == GOOD.dtypes.to_dict()


def test_a_frame_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(SchemaErrors, match="phone_e164"):
        validate(GOOD.drop(columns="phone_e164"))
