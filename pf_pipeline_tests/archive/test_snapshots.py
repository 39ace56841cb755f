"""Snapshots of what the portal says as a whole: each kept once, whole or not there."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from pf_pipeline.archive import files
from pf_pipeline.archive.snapshots import RawSnapshots
from pf_pipeline_tests.archive.builders import NOON, PORTAL

FIRST, SECOND = b'{"data": [1]}', b'{"data": [2]}'


@pytest.fixture
def users(tmp_path: Path) -> RawSnapshots:
    return RawSnapshots(tmp_path, "portal_users")


def test_pages_come_back_as_they_were_received_in_order(users: RawSnapshots) -> None:
    assert users.latest() is None
    users.store([SECOND, FIRST], base_url=PORTAL, read_at=NOON)
    assert users.latest() == [SECOND, FIRST]


def test_no_pages_are_a_snapshot_too(users: RawSnapshots) -> None:
    users.store([], base_url=PORTAL, read_at=NOON)
    assert users.latest() == []


def test_what_did_not_change_is_not_stored_again(users: RawSnapshots) -> None:
    assert users.store([FIRST], base_url=PORTAL, read_at=NOON) is not None
    assert users.store([FIRST], base_url=PORTAL, read_at=NOON + timedelta(hours=1)) is None


def test_a_change_is_kept_beside_what_it_replaces(users: RawSnapshots, tmp_path: Path) -> None:
    for hours, page in enumerate((FIRST, SECOND, FIRST)):
        users.store([page], base_url=PORTAL, read_at=NOON + timedelta(hours=hours))
    assert users.latest() == [FIRST]
    assert len([*(tmp_path / "raw/portal_users").glob("snapshot=*")]) == 3


class _PowerCutError(Exception):
    pass


def test_a_snapshot_that_was_cut_off_does_not_exist(
    users: RawSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.store([FIRST], base_url=PORTAL, read_at=NOON)
    write = files.write_atomically

    def cut(path: Path, content: bytes) -> None:
        if path.name == "manifest.json":
            raise _PowerCutError
        write(path, content)

    with monkeypatch.context() as cutting:
        cutting.setattr("pf_pipeline.archive.snapshots.write_atomically", cut)
        with pytest.raises(_PowerCutError):
            users.store([SECOND], base_url=PORTAL, read_at=NOON + timedelta(hours=1))
    assert users.latest() == [FIRST]
    users.store([SECOND], base_url=PORTAL, read_at=NOON + timedelta(hours=1))
    assert users.latest() == [SECOND]


def test_only_the_owner_may_read_who_works_there(users: RawSnapshots) -> None:
    folder = users.store([FIRST], base_url=PORTAL, read_at=NOON)
    assert folder is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
