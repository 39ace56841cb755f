import shutil
from pathlib import Path

import pytest

from pf_pipeline_tests.crm.builders import AGENTS, PROPERTIES, CrmFile


@pytest.fixture(scope="session")
def new_crm(tmp_path_factory: pytest.TempPathFactory) -> CrmFile:
    """A CRM with listings and people but no lead; to be copied."""
    crm = CrmFile(tmp_path_factory.mktemp("new") / "crm.duckdb")
    crm.refresh(properties=PROPERTIES, agents=AGENTS)
    return crm


@pytest.fixture
def crm(new_crm: CrmFile, tmp_path: Path) -> CrmFile:
    """A CRM of this test alone, with listings and people but no lead."""
    return CrmFile(Path(shutil.copy(new_crm.path, tmp_path)))
