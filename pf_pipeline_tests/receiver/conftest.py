"""One receiver for all tests of a module that leave it as they found it."""

from collections.abc import Iterator

import pytest

from pf_pipeline_tests.receiver.running import Receiver, running_receiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running_receiver(tmp_path_factory.mktemp("receiver") / "data") as running:
        yield running
