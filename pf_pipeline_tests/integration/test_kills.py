"""``kill -9`` between the portal and the CRM; the long run is ``...integration.kills``."""

import subprocess
import sys

from pf_pipeline_tests.conftest import PROJECT


def test_whatever_is_killed_a_rerun_leaves_what_an_undisturbed_run_leaves() -> None:
    # In a process of its own: it forks, which is safe only where there are no threads.
    ended = subprocess.run(
        [sys.executable, "-m", "pf_pipeline_tests.integration.kills", "--trials", "10"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith(" 0 reruns differ\n")
    assert " 0 of them midway" not in ended.stdout
