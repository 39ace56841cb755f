import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.portal.pagination import read_pagination
from pf_pipeline_tests.portal.samples import atlas_page, guide_page

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["currentPage", "page", "nextPage", "prevPage", "total", "totalPages", "count", "perPage"]
)
ENVELOPES = JSON | st.fixed_dictionaries(
    {"pagination": JSON | st.dictionaries(FIELDS, JSON | st.integers(-2, 60))}
)


@given(ENVELOPES, st.integers(1, 100), st.integers(0, 60))
def test_any_json_is_read_without_an_error(payload: object, asked: int, received: int) -> None:
    pagination = read_pagination(payload, asked=asked, received=received)
    assert pagination.number >= 0
    assert (pagination.total or 0) >= 0
    assert not (received == 0 and pagination.has_next)


def test_the_guides_pagination_is_read() -> None:
    pagination = read_pagination(guide_page(2, of=3), asked=2, received=1)
    assert (pagination.number, pagination.total, pagination.total_pages) == (2, 3, 3)
    assert pagination.has_next
    assert pagination.dialect == "guide"


def test_the_pagination_of_atlas_is_read() -> None:
    pagination = read_pagination(atlas_page(3, of=3), asked=3, received=1)
    assert (pagination.number, pagination.total, pagination.total_pages) == (3, 3, 3)
    assert not pagination.has_next
    assert pagination.dialect == "atlas"


def test_a_next_page_alone_is_enough_to_go_on() -> None:
    payload = {"pagination": {"nextPage": 2}}
    assert read_pagination(payload, asked=1, received=1).has_next


def test_numbers_may_come_as_text() -> None:
    payload = {"pagination": {"currentPage": "1", "totalPages": "2", "total": 60.0}}
    pagination = read_pagination(payload, asked=1, received=50)
    assert (pagination.total, pagination.total_pages) == (60, 2)


@pytest.mark.parametrize("garbage", [None, "many", -1, True, 1.5, float("nan"), [], {}])
def test_garbage_counts_as_absent(garbage: object) -> None:
    payload = {"pagination": dict.fromkeys(["page", "total", "totalPages", "nextPage"], garbage)}
    pagination = read_pagination(payload, asked=4, received=50)
    assert pagination.number == 4
    assert pagination.total is None
    assert pagination.has_next  # a full page may be followed by another
    assert not read_pagination(payload, asked=4, received=49).has_next


def test_a_page_is_full_when_it_holds_what_the_portal_says_a_page_holds() -> None:
    payload = {"pagination": {"perPage": 20}}
    assert read_pagination(payload, asked=1, received=20).has_next
