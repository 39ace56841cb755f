"""A receiver in a process of its own, without Dagster, which would take seconds to import.

    python -m pf_pipeline_tests.receiver.process FOLDER [--largest-file BYTES] [--patience SECONDS]

prints its address and serves until it is told to stop.
"""

import argparse
import resource
import sys
from pathlib import Path

from pf_pipeline.receiver import address_of, connections, listening, loading, serve, write_logs
from pf_pipeline.settings import load_settings
from pf_pipeline_tests.receiver.builders import EARLIER_SECRET, SECRET


def ignore(_batch: loading.LoadedBatch) -> None:
    """Nobody is told."""


def main() -> int:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--largest-file", type=int)
    parser.add_argument("--patience", type=float)
    given = parser.parse_args()
    settings = load_settings(
        _env_file=None,
        data_dir=given.folder,
        webhook_secret=SECRET,
        webhook_secret_previous=EARLIER_SECRET,
    )
    if given.patience is not None:
        connections.REQUEST_SECONDS = given.patience
    with listening("127.0.0.1", 0) as listener:
        write_logs()
        sys.stdout.write(f"{address_of(listener)}\n")
        sys.stdout.flush()
        if given.largest_file is not None:
            # Python ignores the signal that comes with it, so writing more fails.
            limits = (given.largest_file, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        return 0 if serve(settings, listener, ignore) else 1


if __name__ == "__main__":
    sys.exit(main())
