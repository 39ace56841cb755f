import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pf_pipeline.archive import RawLeads
from pf_pipeline_tests.archive import crashing
from pf_pipeline_tests.archive.builders import (
    DAY,
    NEXT_DAY,
    after,
    files_under,
    finish,
    ids_of,
    open_pass,
    stored_pages,
)

BOTH_DAYS = (DAY, NEXT_DAY)


def crash(*arguments: object) -> None:
    command = [sys.executable, "-m", crashing.__name__, *map(str, arguments)]
    subprocess.run(command, check=True, timeout=120)  # noqa: S603 - our own program


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folders in which the second pass died before one operation each."""
    folder = tmp_path_factory.mktemp("crashed")
    crash("operations", folder)
    return folder


def test_killed_before_any_operation_on_files_a_pass_leaves_whole_sweeps_only(
    crashed: Path,
) -> None:
    outcomes = set()
    folders = sorted(crashed.iterdir())
    for folder in folders:
        raw = RawLeads(folder)
        state = (len(raw.manifests(DAY)), len(raw.manifests(NEXT_DAY)))
        outcomes.add(state)
        before, later = ["known", "shared"], ["known", "new", "both"]
        assert ids_of(raw, DAY) == (before if state[0] == 1 else ["known", *before, *later[1:]])
        assert ids_of(raw, NEXT_DAY) == (["next"] if state[1] == 1 else ["next", "both-next"])
    assert outcomes == {(1, 1), (2, 1), (2, 2)}
    assert len(folders) > 20


def test_killed_before_any_operation_on_files_a_pass_is_resumed_and_counts_once(
    crashed: Path, tmp_path: Path
) -> None:
    shutil.copytree(crashed, tmp_path / "crashed")
    known = set()
    for folder in sorted((tmp_path / "crashed").iterdir()):
        raw = RawLeads(folder)
        has_ended = len(raw.manifests(NEXT_DAY)) == 2 and not [*folder.rglob("*.jsonl")]
        if not has_ended:
            with open_pass(raw, days=BOTH_DAYS, at=after(120)) as leads_pass:
                known.add(len(leads_pass.known))
                for received in crashing.second_pass()[len(leads_pass.known) :]:
                    leads_pass.store(received)
                finish(leads_pass)
        assert ids_of(raw, DAY) == ["known", "known", "shared", "new", "both"]
        assert ids_of(raw, NEXT_DAY) == ["next", "both-next"]
        assert [len(raw.manifests(day)) for day in BOTH_DAYS] == [2, 2]
        assert len(stored_pages(folder)) == 6
    assert known == {0, 1, 2, 3}


def test_killed_before_any_operation_on_files_a_pass_can_be_closed(
    crashed: Path, tmp_path: Path
) -> None:
    shutil.copytree(crashed, tmp_path / "crashed")
    for folder in sorted((tmp_path / "crashed").iterdir()):
        raw = RawLeads(folder)
        raw.close_abandoned(after(24 * 60))
        seen = [*ids_of(raw, DAY), *ids_of(raw, NEXT_DAY)]
        assert set(seen) <= {"known", "shared", "new", "both", "next", "both-next"}
        assert [seen.count(name) for name in ("new", "both", "both-next")] in (
            [0, 0, 0],
            [1, 0, 0],
            [1, 1, 1],
        )
        assert files_under(folder / "raw/passes") == {}


def test_killed_at_any_moment_a_pass_leaves_whole_sweeps_only(tmp_path: Path) -> None:
    crash("moments", tmp_path, 25)
    finished = 0
    for folder in sorted(tmp_path.iterdir()):
        raw = RawLeads(folder)
        for day in BOTH_DAYS:
            manifests = raw.manifests(day)
            finished += len(manifests)
            assert [len(manifest.pages) for manifest in manifests] == [3] * len(manifests)
            expected = [f"{n}.{p}" for n in range(1, len(manifests) + 1) for p in (1, 2, 3)]
            assert sorted(ids_of(raw, day)) == sorted(expected)
    assert finished >= sum(death % crashing.PASSES_SURVIVED for death in range(25))


def test_killed_at_random_moments_a_rerun_leaves_what_an_undisturbed_pass_does(
    tmp_path: Path,
) -> None:
    crash("reruns", tmp_path, 15)


# ---- packing


def without_locks(folder: Path) -> dict[str, bytes]:
    return {name: text for name, text in files_under(folder).items() if "lock" not in name}


@pytest.fixture(scope="module")
def crashed_packing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folders in which packing, packing again or unpacking died before one operation each."""
    folder = tmp_path_factory.mktemp("packing")
    crash("packing", folder)
    return folder


def folders_of(crashed: Path, work: str) -> list[Path]:
    return sorted(crashed.glob(f"{work}-[0-9]*"))


@pytest.mark.parametrize(("work", "sweeps"), [("pack", 3), ("pack-again", 4), ("unpack", 3)])
def test_killed_before_any_operation_a_day_reads_the_same(
    crashed_packing: Path, work: str, sweeps: int
) -> None:
    folders = folders_of(crashed_packing, work)
    assert len(folders) > 8
    for folder in folders:
        raw = RawLeads(folder)
        assert len(raw.manifests(DAY)) == sweeps
        later = ["later"] if work == "pack-again" else []
        assert sorted(ids_of(raw)) == [*later, *["moving"] * 3, *["same"] * sweeps]


@pytest.mark.parametrize("work", ["pack", "pack-again", "unpack"])
def test_killed_before_any_operation_packing_and_unpacking_can_be_done_again(
    crashed_packing: Path, tmp_path: Path, work: str
) -> None:
    undisturbed = RawLeads(tmp_path / "undisturbed")
    crashing.fill(undisturbed)
    if work == "pack-again":
        crashing.add_sweep(undisturbed, DAY)
    loose = without_locks(tmp_path / "undisturbed")
    undisturbed.pack(DAY)
    packed = without_locks(tmp_path / "undisturbed")
    for folder in folders_of(crashed_packing, work):
        copy = tmp_path / folder.name
        shutil.copytree(folder, copy)
        raw = RawLeads(copy)
        raw.pack(DAY)
        assert without_locks(copy) == packed
        raw.unpack(DAY)
        assert without_locks(copy) == loose
