from collections.abc import Iterator

import pytest

from pf_pipeline.sandbox import SandboxOptions
from pf_pipeline_tests.sandbox.client import Client, Clock, client_of, utc


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """A client of a sandbox whose clock stands at the end of 20 December 2025."""
    options = SandboxOptions(first_day=utc("2025-12-18").date(), clock=Clock(utc("2025-12-21")))
    with client_of(options) as client:
        yield client
