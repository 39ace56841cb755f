from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pf_pipeline.archive.files import flush_folder, make_folder, write_atomically
from pf_pipeline_tests.archive.builders import files_under


@pytest.mark.parametrize("content", [b"", b"content", bytes(range(256)) * 10_000])
def test_a_file_is_written_as_it_is_and_nothing_beside_it(tmp_path: Path, content: bytes) -> None:
    write_atomically(tmp_path / "file", content)
    assert files_under(tmp_path) == {"file": content}


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"a long earlier content")
    write_atomically(tmp_path / "file", b"new")
    assert files_under(tmp_path) == {"file": b"new"}


def test_whoever_has_the_earlier_file_open_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"earlier")
    with path.open("rb") as reading:
        write_atomically(path, b"later")
        assert reading.read() == b"earlier"


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"content")
    assert files_under(tmp_path) == {}


def test_a_file_that_does_not_pass_its_check_does_not_take_its_place(tmp_path: Path) -> None:
    def refuse(temporary: Path) -> None:
        raise ValueError(temporary.read_bytes().decode())

    write_atomically(tmp_path / "file", b"earlier")
    with pytest.raises(ValueError, match="later"):
        write_atomically(tmp_path / "file", b"later", check=refuse)
    assert files_under(tmp_path) == {"file": b"earlier"}


def test_files_and_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    write_atomically(tmp_path / "a" / "b" / "file", b"content")
    modes = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "a").rglob("*"))]
    assert modes == [0o700, 0o600]


def test_several_may_write_the_same_file_at_once_and_one_of_them_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([worker]) * 100_000 for worker in range(8)]

    def write_many(content: bytes) -> None:
        for _ in range(20):
            write_atomically(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_many, contents))
    assert list(files_under(tmp_path)) == ["file"]


def test_a_folder_is_made_with_its_parents_and_may_stand_already(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_folder(folder)
    make_folder(folder)
    assert folder.is_dir()


def test_a_folder_may_be_made_by_several_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            list(pool.map(make_folder, [tmp_path / str(turn) / "a" / "b"] * 8))
    assert len(list(tmp_path.glob("*/a/b"))) == 20


def test_only_a_folder_that_stands_can_be_flushed(tmp_path: Path) -> None:
    flush_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush_folder(tmp_path / "missing")
