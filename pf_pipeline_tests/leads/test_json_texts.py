import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.leads.json_texts import read_json, storable_json, whole_json
from pf_pipeline_tests.leads.builders import every_text, json_values, nested, thorough

readable_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=1 - 10**40, max_value=10**40 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | every_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(every_text, inner, max_size=4),
    max_leaves=12,
)


@given(readable_values)
@thorough
def test_whole_json_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(whole_json(value)) == value


@given(json_values)
@thorough
def test_both_kinds_of_json_are_texts_that_every_file_and_database_takes(value: object) -> None:
    for text in (whole_json(value), storable_json(value)):
        assert "\0" not in text
        text.encode("utf-8")
        json.loads(text, parse_constant=refuse)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@given(json_values)
@thorough
def test_storable_json_does_not_depend_on_the_order_of_keys(value: object) -> None:
    assert storable_json({"a": value, "b": 1}) == storable_json({"b": 1, "a": value})


@given(json_values)
@settings(thorough, max_examples=30)
def test_the_longer_way_writes_the_same_value(value: object) -> None:
    text = whole_json([value, nested(3000)])
    assert text == f'[{json_of(value)},{"[" * 3000}"bottom"{"]" * 3000}]'


def json_of(value: object) -> str:
    """What the longer way writes, told by recursion: ASCII, and no numbers that are not JSON."""
    if isinstance(value, dict):
        members = (f"{json.dumps(key)}:{json_of(member)}" for key, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_of(member) for member in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(str(value))
    if isinstance(value, int) and abs(value) >= 10**40:
        return json.dumps(f"{value:#x}")
    return json.dumps(value)


def test_storable_json_has_neither_nul_nor_half_a_surrogate_pair() -> None:
    assert storable_json({"a\0": ["b\0", "\ud83d"]}) == '{"a":["b","?"]}'


def test_a_text_that_only_spells_an_escape_is_left_alone() -> None:
    assert json.loads(storable_json([r"\u0000"])) == [r"\u0000"]


def test_arabic_is_written_as_it_is() -> None:
    assert whole_json(["شقة"]) == storable_json(["شقة"]) == '["شقة"]'


@given(st.integers())
@thorough
def test_numbers_of_usual_length_are_read_as_numbers(number: int) -> None:
    assert read_json(f"[{number}, {float(number)!r}]".encode()) == [number, float(number)]
