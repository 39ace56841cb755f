"""``kill -9`` of the receiver; the long run is ``...integration.receiver_kills``."""

import subprocess
import sys

from pf_pipeline_tests.conftest import PROJECT


def test_whatever_is_killed_no_acknowledged_delivery_is_lost_or_loaded_twice() -> None:
    # In a process of its own: it forks, which is safe only where there are no threads.
    ended = subprocess.run(
        [sys.executable, "-m", "pf_pipeline_tests.integration.receiver_kills", "--trials", "5"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith(" 0 wrong\n")
    assert " 0 deliveries acknowledged" not in ended.stdout
