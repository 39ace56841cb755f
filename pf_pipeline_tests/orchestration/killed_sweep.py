"""A process that is killed in the middle of a sweep.

    python -m pf_pipeline_tests.orchestration.killed_sweep ADDRESS FOLDER NOW DAY

dies by SIGKILL when the second page of the day arrives; the first one is stored.
"""

import os
import signal
import sys
from datetime import date, datetime
from pathlib import Path

from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.orchestration.watching import Watcher
from pf_pipeline.portal import LeadsPage
from pf_pipeline.settings import load_settings


class _Killing(Watcher):
    def __init__(self) -> None:
        self._pages = 0

    def page_arrived(self, page: LeadsPage) -> None:
        del page
        self._pages += 1
        if self._pages > 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main(address: str, folder: str, now: str, day: str) -> None:
    settings = load_settings(
        _env_file=None,
        api_base_url=address,
        api_token="sandbox-token",
        api_dialect="atlas",
        data_dir=Path(folder),
        requests_per_minute=1_000_000,
    )
    pipeline = Pipeline(settings, now=lambda: datetime.fromisoformat(now), watcher=_Killing())
    pipeline.sweep([date.fromisoformat(day)])


if __name__ == "__main__":
    main(*sys.argv[1:])
