from collections.abc import Callable

import pytest

from pf_pipeline.sandbox.dialects import (
    atlas_pagination,
    atlas_record,
    guide_pagination,
    guide_record,
)
from pf_pipeline.sandbox.faults import Fault, FaultKind
from pf_pipeline.sandbox.lead import GUIDE_SAMPLE
from pf_pipeline.sandbox.page_faults import Body, gone_wrong, with_nulls

MakePage = Callable[[int], Body]

DRAWS = [0.0, 0.3, 0.5, 0.7, 0.99]


def atlas_page(number: int, total: int = 30) -> Body:
    rows = [f"lead {n}" for n in range((number - 1) * 10, min(number * 10, total))]
    return {"data": rows, "pagination": atlas_pagination(total, 10, number)}


def guide_page(number: int, total: int = 30) -> Body:
    rows = [f"lead {n}" for n in range((number - 1) * 10, min(number * 10, total))]
    return {"data": rows, "pagination": guide_pagination(total, len(rows), 10, number)}


def changed(kind: FaultKind, body: Body, previous: Body | None = None, draw: float = 0.0) -> Body:
    outcome = gone_wrong(Fault(kind, draw), body, previous)
    assert outcome is not None
    assert outcome[0] is kind
    assert outcome[1] != body
    assert outcome[1]["pagination"]["total"] == body["pagination"]["total"]
    return outcome[1]


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_looping_next_page_never_goes_forward(number: int, draw: float) -> None:
    body = changed(FaultKind.LOOPING_NEXT_PAGE, atlas_page(number), draw=draw)
    assert 1 <= body["pagination"]["nextPage"] <= number
    assert body["data"] == atlas_page(number)["data"]


def test_a_looping_next_page_points_here_there_and_to_the_beginning() -> None:
    pages = [changed(FaultKind.LOOPING_NEXT_PAGE, atlas_page(3), draw=draw) for draw in DRAWS]
    assert {page["pagination"]["nextPage"] for page in pages} == {1, 2, 3}


@pytest.mark.parametrize("page", [atlas_page, guide_page])
@pytest.mark.parametrize(("number", "told"), [(1, 1), (2, 2), (3, 2)])
def test_too_few_pages_are_told(page: MakePage, number: int, told: int) -> None:
    body = changed(FaultKind.TOO_FEW_PAGES, page(number))
    assert body["pagination"]["totalPages"] == told


@pytest.mark.parametrize("page", [atlas_page, guide_page])
@pytest.mark.parametrize("draw", DRAWS)
def test_too_many_pages_are_told(page: MakePage, draw: float) -> None:
    body = changed(FaultKind.TOO_MANY_PAGES, page(2), draw=draw)
    assert 4 <= body["pagination"]["totalPages"] <= 6


def test_an_empty_page_has_no_leads_although_there_are_some() -> None:
    assert changed(FaultKind.EMPTY_PAGE, atlas_page(2))["data"] == []
    guide = changed(FaultKind.EMPTY_PAGE, guide_page(2))
    assert guide["data"] == []
    assert guide["pagination"]["count"] == 0


@pytest.mark.parametrize(("draw", "repeated"), [(0.0, 1), (0.5, 3), (0.99, 5)])
def test_repeated_leads_displace_the_last_ones(draw: float, repeated: int) -> None:
    body = changed(FaultKind.REPEATED_LEADS, atlas_page(2), atlas_page(1), draw)
    assert body["data"] == [f"lead {n}" for n in range(10 - repeated, 20 - repeated)]


def test_a_short_page_is_not_made_longer_by_repeated_leads() -> None:
    body = changed(FaultKind.REPEATED_LEADS, guide_page(3, 22), guide_page(2, 22), 0.99)
    assert body["data"] == ["lead 18", "lead 19"]
    assert body["pagination"]["count"] == 2


@pytest.mark.parametrize(
    ("kind", "page", "became"),
    [
        (FaultKind.LOOPING_NEXT_PAGE, guide_page, FaultKind.TOO_FEW_PAGES),
        (FaultKind.REPEATED_LEADS, atlas_page, FaultKind.EMPTY_PAGE),
    ],
)
def test_without_room_for_a_fault_its_relative_comes(
    kind: FaultKind, page: MakePage, became: FaultKind
) -> None:
    outcome = gone_wrong(Fault(kind), page(1), None)
    assert outcome is not None
    assert outcome[0] is became
    assert outcome[1] != page(1)


@pytest.mark.parametrize(
    "kind", [FaultKind.EMPTY_PAGE, FaultKind.REPEATED_LEADS, FaultKind.TOO_FEW_PAGES]
)
def test_where_no_leads_are_little_can_go_wrong(kind: FaultKind) -> None:
    assert gone_wrong(Fault(kind), atlas_page(1, 0), None) is None


def test_listings_go_wrong_as_leads_do() -> None:
    body = {"results": [1, 2], "pagination": atlas_pagination(4, 2, 2)}
    previous = {"results": [3, 4], "pagination": atlas_pagination(4, 2, 1)}
    assert changed(FaultKind.REPEATED_LEADS, body, previous)["results"] == [4, 1]


def page_of(*records: object) -> Body:
    return {"data": [*records, None, "text"], "pagination": atlas_pagination(3, 50, 1)}


def test_nulls_stand_for_what_an_atlas_lead_does_not_have() -> None:
    record = atlas_record(GUIDE_SAMPLE, "")
    assert isinstance(record, dict)
    del record["sender"]["name"]
    nulled = with_nulls(page_of(record))
    assert nulled is not None
    assert nulled["data"][1:] == [None, "text"]
    added = {name for name, value in nulled["data"][0].items() if name not in record}
    assert added == {"project", "developer", "call", "distributionType", "enrichment"}
    assert {nulled["data"][0][name] for name in added} == {None}
    assert nulled["data"][0]["sender"] == {"name": None, **record["sender"]}
    assert {name: nulled["data"][0][name] for name in record if name != "sender"} == {
        name: value for name, value in record.items() if name != "sender"
    }


def test_a_call_without_recording_has_a_null_one() -> None:
    call = atlas_record(GUIDE_SAMPLE, "")
    assert isinstance(call, dict)
    call["call"] = {"talkTime": 1}
    nulled = with_nulls(page_of(call))
    assert nulled is not None
    assert nulled["data"][0]["call"] == {"recordFile": None, "talkTime": 1}


def test_nulls_stand_for_what_a_guide_lead_does_not_have() -> None:
    record = guide_record(GUIDE_SAMPLE, "")
    assert isinstance(record, dict)
    nulled = with_nulls(page_of(record))
    assert nulled is not None
    assert nulled["data"][0] == record | {"recordingUrl": None}


def test_a_page_without_leads_has_no_room_for_nulls() -> None:
    assert with_nulls({"results": [{"id": "x"}], "pagination": atlas_pagination(1, 50, 1)}) is None


@pytest.mark.parametrize(
    "wrong", [{"id": None}, {"createdAt": None}, {"createdAt": "soon"}, {"createdAt": 7}]
)
def test_malformed_records_stay_as_they_are(wrong: dict[str, object]) -> None:
    sound = {"id": "a", "sender": {"contacts": []}, "createdAt": "2026-01-01T00:00:00Z"}
    nulled = with_nulls(page_of(sound, sound | wrong))
    assert nulled is not None
    assert nulled["data"][0] != sound
    assert nulled["data"][1] == sound | wrong
