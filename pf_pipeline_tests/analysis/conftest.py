"""A CRM with every kind of personal data in it, and questions to it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pf_pipeline.analysis import query
from pf_pipeline.settings import Settings, load_settings
from pf_pipeline_tests.analysis.builders import PERSONAL
from pf_pipeline_tests.crm.builders import AGENTS, PROPERTIES, CrmFile, seen

Ask = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def known_people(tmp_path_factory: pytest.TempPathFactory) -> CrmFile:
    """The CRM, to be copied: two leads of one person, a recording, a reject, people, listings."""
    crm = CrmFile(tmp_path_factory.mktemp("people") / "crm.duckdb")
    crm.refresh(
        properties=PROPERTIES.assign(owner_phone=PERSONAL["an owner's phone"], community="Marina"),
        agents=AGENTS.assign(name=PERSONAL["agent"], home=PERSONAL["an agent's home"]),
    )
    lead = {
        "id": "call-1",
        "channel": "call",
        "createdAt": "2025-12-19T20:30:00Z",
        "status": "replied",
        "sender": {
            "name": PERSONAL["name"],
            "contacts": [
                {"type": "phone", "value": PERSONAL["phone"]},
                {"type": "email", "value": PERSONAL["email"]},
                {"type": "whatsappUsername", "value": PERSONAL["handle"]},
            ],
        },
        "listing": {"reference": "APT-DOWNTOWN-101"},
        "call": {"talkTime": 60, "waitTime": 5, "recordFile": PERSONAL["recording"]},
        "responseLink": PERSONAL["response link"],
        "tags": ["hot"],
        "device": {"owner": PERSONAL["in an unknown field"]},
    }
    message = {
        "id": "message-2",
        "channel": "whatsapp",
        "createdAt": "2025-12-19T21:30:00Z",
        "name": PERSONAL["name"],
        "phone": PERSONAL["phone"],
        "message": PERSONAL["message"],
        "assignedTo": {"id": 9999, "name": PERSONAL["the portal's agent"]},
    }
    crm.load(seen(lead, message, {"name": PERSONAL["of a reject"]}))
    return crm


@pytest.fixture
def crm(known_people: CrmFile, tmp_path: Path) -> CrmFile:
    """A copy for this test alone."""
    return CrmFile(Path(shutil.copy(known_people.path, tmp_path)))


@pytest.fixture
def settings(crm: CrmFile) -> Settings:
    return load_settings(_env_file=None, crm_url=crm.location, lock_timeout_seconds=20)


@pytest.fixture
def ask(settings: Settings) -> Ask:
    """Ask that CRM."""

    def ask_it(sql: str, *parameters: object, **options: object) -> pd.DataFrame:
        return query(sql, parameters, settings=settings, **options)  # type: ignore[arg-type]

    return ask_it
