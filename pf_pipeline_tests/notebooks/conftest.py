"""A CRM of make-believe leads, and a kernel that is shut off from the network."""

from pathlib import Path

import pytest

from notebooks.demo_crm import build_demo_crm


@pytest.fixture(scope="session")
def demo_crm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CRM that ``make notebooks`` shows."""
    path = tmp_path_factory.mktemp("notebooks") / "crm.duckdb"
    build_demo_crm(path)
    return path
