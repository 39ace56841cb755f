import json

from pf_pipeline_tests.crm.builders import (
    DAY,
    NEXT_DAY,
    NOON,
    CrmFile,
    Record,
    after,
    guide_lead,
    lead,
    seen,
)

BROKEN = guide_lead(createdAt="yesterday", unknown={"a": [1, "ü"]})
NAMELESS = {"name": "John Doe", "createdAt": "2025-12-19T10:30:00Z"}


def rejected_ids(crm: CrmFile, day: str = DAY) -> list[str]:
    return [row["lead_id"] for row in crm.rows("rejected_leads") if row["partition_key"] == day]


def broken(lead_id: str) -> Record:
    return lead(lead_id, createdAt=None)


def test_a_rejected_record_is_kept_whole_with_its_reason(crm: CrmFile) -> None:
    crm.load(seen(BROKEN))
    (row,) = crm.rows("rejected_leads")
    assert json.loads(row.pop("raw")) == BROKEN
    assert row == {
        "received_from": "poll",
        "partition_key": DAY,
        "lead_id": BROKEN["id"],
        "reason": "createdAt is not an ISO-8601 instant",
        "received_at": NOON,
    }


def test_a_rejected_record_without_an_id_is_kept_without_one(crm: CrmFile) -> None:
    crm.load(seen(NAMELESS, None, [1]))
    rows = crm.rows("rejected_leads")
    assert [row["lead_id"] for row in rows] == [None, None, None]
    assert sorted(row["raw"] for row in rows) == sorted(
        ["[1]", "null", json.dumps(NAMELESS, separators=(",", ":"))]
    )


def test_a_rejected_record_does_not_stop_its_neighbours(crm: CrmFile) -> None:
    loaded = crm.load(seen(lead("a"), broken("b"), NAMELESS, lead("c")))
    assert loaded.inserted == 2
    assert [row["lead_id"] for row in crm.rows("leads")] == ["a", "c"]


def test_a_rejected_record_stands_once_however_often_it_is_received(crm: CrmFile) -> None:
    crm.load(seen(BROKEN, BROKEN))
    before = crm.rows("rejected_leads")
    crm.load(seen(BROKEN, at=after(5)))
    crm.load(seen(BROKEN, at=after(9)), seen(BROKEN, at=after(7)))
    assert crm.rows("rejected_leads") == before
    assert len(before) == 1


def test_the_same_record_twice_in_one_load_is_one_received_at_the_first_instant(
    crm: CrmFile,
) -> None:
    crm.load(seen(BROKEN, at=after(9)), seen(BROKEN, at=after(5)))
    assert [row["received_at"] for row in crm.rows("rejected_leads")] == [after(5)]


def test_a_record_that_was_settled_is_removed(crm: CrmFile) -> None:
    crm.load(seen(broken("a"), broken("b")))
    crm.load(seen(lead("a"), broken("b"), at=after(5)))
    assert rejected_ids(crm) == ["b"]


def test_a_record_that_is_rejected_for_another_reason_now_stands_with_that_one(
    crm: CrmFile,
) -> None:
    crm.load(seen(BROKEN))
    observed = seen(BROKEN)
    rejected = observed.rejected.assign(reason="a better reason")
    with crm.open() as warehouse:
        warehouse.load_leads(observed.observations, rejected, days=[DAY])
    assert [row["reason"] for row in crm.rows("rejected_leads")] == ["a better reason"]


def test_a_load_of_one_day_removes_nothing_of_another(crm: CrmFile) -> None:
    crm.load(seen(broken("a")))
    crm.load(seen(broken("b"), day=NEXT_DAY), days=[NEXT_DAY])
    crm.load(seen(), days=[NEXT_DAY])
    assert rejected_ids(crm) == ["a"]
    assert rejected_ids(crm, NEXT_DAY) == []


def test_a_load_of_several_days_settles_each_of_them(crm: CrmFile) -> None:
    both = [seen(broken("a")), seen(broken("b"), day=NEXT_DAY)]
    crm.load(*both, days=[DAY, NEXT_DAY])
    assert (rejected_ids(crm), rejected_ids(crm, NEXT_DAY)) == (["a"], ["b"])
    crm.load(seen(), both[1], days=[DAY, NEXT_DAY])
    assert (rejected_ids(crm), rejected_ids(crm, NEXT_DAY)) == ([], ["b"])


def test_the_same_record_rejected_on_two_days_stands_under_both(crm: CrmFile) -> None:
    crm.load(seen(BROKEN), seen(BROKEN, day=NEXT_DAY), days=[DAY, NEXT_DAY])
    crm.load(seen(), days=[DAY])
    assert [row["partition_key"] for row in crm.rows("rejected_leads")] == [NEXT_DAY]


def test_a_load_of_no_day_removes_nothing(crm: CrmFile) -> None:
    crm.load(seen(broken("a")))
    crm.load(seen(lead("b")), days=[])
    assert rejected_ids(crm) == ["a"]


def test_rejected_deliveries_of_the_webhook_are_not_settled_by_polls(crm: CrmFile) -> None:
    crm.load(seen(broken("a"), by="webhook"), days=[])
    crm.load(seen(lead("a")))
    (row,) = crm.rows("rejected_leads")
    assert (row["received_from"], row["lead_id"]) == ("webhook", "a")


def test_a_record_rejected_by_poll_and_webhook_stands_for_each(crm: CrmFile) -> None:
    crm.load(seen(BROKEN))
    crm.load(seen(BROKEN, by="webhook"), days=[])
    assert [row["received_from"] for row in crm.rows("rejected_leads")] == ["poll", "webhook"]


def test_rejected_records_are_counted_by_day(crm: CrmFile) -> None:
    crm.load(
        seen(broken("a"), broken("b")),
        seen(broken("c"), day=NEXT_DAY),
        seen(broken("d"), day=NEXT_DAY, by="webhook"),
        days=[DAY, NEXT_DAY],
    )
    with crm.open() as warehouse:
        assert warehouse.rejected_by_day() == {DAY: 2, NEXT_DAY: 1}
        assert warehouse.rejected_by_day({NEXT_DAY: NOON}) == {DAY: 2, NEXT_DAY: 2}
        assert warehouse.rejected_by_day({NEXT_DAY: after(-1)}) == {DAY: 2, NEXT_DAY: 1}


def test_days_without_rejected_records_are_not_counted(crm: CrmFile) -> None:
    with crm.open() as warehouse:
        assert warehouse.rejected_by_day() == {}
