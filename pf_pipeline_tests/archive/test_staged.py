from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pf_pipeline.archive import Archive, StagedFiles
from pf_pipeline.leads.frames import frame_of
from pf_pipeline_tests.archive.builders import DAY, NEXT_DAY, NOON, after, files_under, thorough

SCHEMA = pa.schema(
    [
        ("lead_id", pa.large_string()),
        ("talk_seconds", pa.int64()),
        ("created_at", pa.timestamp("us", "UTC")),
    ]
)
Row = tuple[str | None, int | None, datetime | None]

cells = st.tuples(
    st.none() | st.text(st.characters(codec="utf-8")),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)


def frame(*rows: Row) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return frame_of(
        pa.table(
            {
                field.name: pa.array(values, field.type)
                for field, values in zip(SCHEMA, columns, strict=True)
            }
        )
    )


@pytest.fixture
def staged(tmp_path: Path) -> StagedFiles:
    return StagedFiles(tmp_path, "assigned_leads", "leads")


def test_files_stand_under_the_names_of_their_assets(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for files in (archive.observations, archive.rejected, archive.assigned):
        assert files.write(DAY, frame()) == files.path(DAY)
    assert sorted(files_under(tmp_path)) == [
        "staged/assigned_leads/date=2025-12-19/leads.parquet",
        "staged/validated_leads/date=2025-12-19/leads.parquet",
        "staged/validated_leads/date=2025-12-19/rejected.parquet",
    ]


@given(st.lists(cells, max_size=6))
@thorough
def test_a_frame_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    staged = StagedFiles(tmp_path_factory.getbasetemp(), "assigned_leads", "leads")
    staged.write(DAY, frame(*rows))
    pd.testing.assert_frame_equal(staged.read(DAY), frame(*rows))
    assert staged.rows(DAY) == len(rows)


def test_types_survive_where_every_value_is_missing(staged: StagedFiles) -> None:
    staged.write(DAY, frame((None, None, None)))
    read = staged.read(DAY)
    assert read.dtypes.to_dict() == frame(("a", 1, NOON)).dtypes.to_dict()
    assert read.isna().all(axis=None)


def test_types_survive_without_rows(staged: StagedFiles) -> None:
    staged.write(DAY, frame())
    assert staged.read(DAY).dtypes.to_dict() == frame(("a", 1, NOON)).dtypes.to_dict()


def test_a_whole_number_next_to_a_missing_one_stays_whole(staged: StagedFiles) -> None:
    staged.write(DAY, frame(("a", 2**53 + 1, NOON), ("b", None, NOON)))
    assert staged.read(DAY)["talk_seconds"].tolist() == [2**53 + 1, pd.NA]


@pytest.mark.parametrize("rows", [0, 1, 200_000])
def test_equal_frames_give_equal_bytes(staged: StagedFiles, rows: int) -> None:
    whole = frame(*((f"lead_{n}", n % 60, after(n)) for n in range(rows)))
    first = staged.write(DAY, whole).read_bytes()
    halves = [whole.iloc[: rows // 3], whole.iloc[rows // 3 :]]
    glued = pd.concat(halves).set_index(pd.RangeIndex(7, 7 + rows))
    assert staged.write(DAY, glued).read_bytes() == first
    assert staged.write(DAY, staged.read(DAY)).read_bytes() == first


def test_a_file_says_what_it_was_made_of(staged: StagedFiles) -> None:
    staged.write(DAY, frame(("a", 1, NOON)), {"sweep=2", "sweep=1"})
    read = staged.read_with_sources(DAY, columns=["lead_id"])
    assert read.frame["lead_id"].tolist() == ["a"]
    assert read.sources == {"sweep=1", "sweep=2"}
    assert staged.sources(DAY) == {"sweep=1", "sweep=2"}
    staged.write(DAY, frame(("a", 1, NOON)), {"sweep=3"})
    assert staged.sources(DAY) == {"sweep=3"}


def test_the_order_in_which_sources_are_named_does_not_matter(staged: StagedFiles) -> None:
    first = staged.write(DAY, frame(), ["sweep=2", "sweep=1"]).read_bytes()
    assert staged.write(DAY, frame(), ["sweep=1", "sweep=2"]).read_bytes() == first


def test_a_file_of_an_older_version_does_not_say_what_it_was_made_of(staged: StagedFiles) -> None:
    path = staged.write(DAY, frame(), {"sweep=1"})
    pq.write_table(pq.read_table(path, partitioning=None), path)
    assert staged.sources(DAY) == frozenset()
    assert staged.read_with_sources(DAY).sources == frozenset()


def test_some_columns_can_be_read_alone(staged: StagedFiles) -> None:
    staged.write(DAY, frame(("a", 1, NOON)))
    assert staged.read(DAY, columns=["talk_seconds"]).to_dict("list") == {"talk_seconds": [1]}


def test_the_partition_does_not_become_a_column(staged: StagedFiles) -> None:
    staged.write(DAY, frame(("a", 1, NOON)))
    assert staged.read(DAY).columns.tolist() == SCHEMA.names


def test_days_stand_apart(staged: StagedFiles) -> None:
    staged.write(DAY, frame(("a", 1, NOON)))
    staged.write(NEXT_DAY, frame())
    assert (staged.rows(DAY), staged.rows(NEXT_DAY)) == (1, 0)


def test_a_day_that_is_written_again_is_replaced_as_a_whole(
    staged: StagedFiles, tmp_path: Path
) -> None:
    staged.write(DAY, frame(("a", 1, NOON), ("b", 2, NOON)))
    staged.write(DAY, frame(("c", 3, NOON)))
    assert staged.read(DAY)["lead_id"].tolist() == ["c"]
    assert len(files_under(tmp_path)) == 1


@pytest.mark.parametrize("reading", [StagedFiles.read, StagedFiles.rows])
def test_a_day_that_is_missing_is_told_with_the_asset_that_makes_it(
    staged: StagedFiles, reading: object
) -> None:
    assert callable(reading)
    with pytest.raises(
        FileNotFoundError, match=r"leads\.parquet: materialize assigned_leads for 2025-12-19 first"
    ):
        reading(staged, DAY)


def test_a_frame_that_cannot_be_stored_leaves_the_earlier_file(
    staged: StagedFiles, tmp_path: Path
) -> None:
    staged.write(DAY, frame(("a", 1, NOON)))
    before = files_under(tmp_path)
    with pytest.raises(pa.ArrowException):
        staged.write(DAY, pd.DataFrame({"mixed": ["a", 1, None]}))
    assert files_under(tmp_path) == before


def test_a_reader_meets_whole_files_only_while_several_write(
    staged: StagedFiles, tmp_path: Path
) -> None:
    sizes = [1, 2_000]
    staged.write(DAY, frame(("a", 1, NOON)))
    versions = [frame(*((f"lead_{n}", n, NOON) for n in range(size))) for size in sizes]

    def write_many(worker: int) -> None:
        for turn in range(40):
            staged.write(DAY, versions[(worker + turn) % 2])

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write_many, worker) for worker in range(4)]
        met = set()
        while not all(work.done() for work in writing):
            met.add(pq.read_metadata(staged.path(DAY)).num_rows)
            met.add(len(staged.read(DAY)))
        for work in writing:
            work.result()
    assert met == set(sizes)
    assert len(files_under(tmp_path)) == 1
