from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from pf_pipeline.leads.frames import frame_of, select, table_of

TYPES = {
    "text": pa.large_string(),
    "number": pa.int64(),
    "instant": pa.timestamp("us", "UTC"),
    "truth": pa.bool_(),
}


def table(**values: list[object]) -> pa.Table:
    return pa.table({name: pa.array(values.get(name, [None]), TYPES[name]) for name in TYPES})


def test_a_column_that_is_missing_throughout_keeps_its_type() -> None:
    missing = frame_of(table())
    present = frame_of(
        table(text=["a"], number=[1], instant=[datetime(2025, 1, 1, tzinfo=UTC)], truth=[True])
    )
    for name in ("text", "number", "instant"):
        assert missing[name].dtype == present[name].dtype
        assert missing[name].isna().all()


def test_a_frame_without_rows_keeps_its_types_through_a_query() -> None:
    frame = frame_of(table())
    assert select("SELECT * FROM t", t=frame.iloc[:0]).dtypes[:3].to_dict() == (
        frame.dtypes[:3].to_dict()
    )


def test_numbers_stay_whole_next_to_missing_ones() -> None:
    frame = frame_of(pa.table({"number": pa.array([9007199254740993, None], pa.int64())}))
    assert table_of(frame)["number"].to_pylist() == [9007199254740993, None]
    assert select("SELECT number FROM t", t=frame)["number"].iloc[0] == 9007199254740993


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_come_in_utc_whatever_their_unit_and_zone(unit: str) -> None:
    instant = datetime(2025, 12, 19, 10, 30, tzinfo=UTC)
    stored = pa.table({"instant": pa.array([instant], pa.timestamp(unit, "Asia/Dubai"))})
    frame = frame_of(stored)
    assert frame["instant"].tolist() == [pd.Timestamp(instant)]
    assert str(frame["instant"].dtype) == "datetime64[us, UTC]"


def test_a_query_sees_instants_in_utc() -> None:
    frame = frame_of(table(instant=[datetime(2025, 12, 19, 22, tzinfo=UTC)]))
    hours = select("SELECT hour(instant) AS hour FROM t", t=frame)
    assert hours["hour"].tolist() == [22]


def test_a_frame_is_seen_by_its_own_query_alone() -> None:
    frame = frame_of(table(text=["a"]))
    select("SELECT * FROM here", here=frame)
    with pytest.raises(duckdb.CatalogException, match="here"):
        select("SELECT * FROM here")


def test_queries_at_the_same_time_do_not_see_each_others_frames() -> None:
    def numbers_of(worker: int) -> set[int]:
        frame = pd.DataFrame({"number": [worker] * 50})
        return {
            int(number)
            for _ in range(10)
            for number in select("SELECT DISTINCT number FROM t", t=frame)["number"]
        }

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(numbers_of, range(16))) == [{worker} for worker in range(16)]


def test_duckdb_starts_no_thread_for_every_core() -> None:
    assert select("SELECT current_setting('threads') AS threads")["threads"].tolist() == [2]
