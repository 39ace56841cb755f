from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from pf_pipeline.sandbox.dialects import (
    Record,
    atlas_pagination,
    atlas_record,
    guide_pagination,
    guide_record,
)
from pf_pipeline.sandbox.lead import GUIDE_SAMPLE, Call, Defect, Recording, SandboxLead

BASE_URL = "http://sandbox.test"

ANSWERED = replace(
    GUIDE_SAMPLE,
    lead_id="call_lead_1992",
    channel="call",
    status="replied",
    message=None,
    call=Call(talk_seconds=61, wait_seconds=4, recording="recorded"),
)


def guide(lead: SandboxLead) -> dict[str, Any]:
    record = guide_record(lead, BASE_URL)
    assert isinstance(record, dict)
    return record


def atlas(lead: SandboxLead) -> dict[str, Any]:
    record = atlas_record(lead, BASE_URL)
    assert isinstance(record, dict)
    return record


def recorded(recording: Recording) -> SandboxLead:
    return replace(ANSWERED, call=Call(talk_seconds=61, wait_seconds=4, recording=recording))


def test_guide_prints_its_sample_exactly() -> None:
    assert guide(GUIDE_SAMPLE) == {
        "id": "lead_987654",
        "name": "John Doe",
        "email": "johndoe@example.com",
        "phone": "+971501234567",
        "message": "I am interested in this apartment, please call me.",
        "channel": "whatsapp",
        "createdAt": "2025-12-19T10:30:00Z",
        "listing": {
            "id": 554433,
            "reference": "APT-DOWNTOWN-101",
            "title": "Luxury 2BR in Downtown",
        },
        "assignedTo": {"id": 1234, "name": "Agent Sarah"},
    }


def test_atlas_tells_of_the_same_lead_in_its_own_words() -> None:
    record = atlas(GUIDE_SAMPLE)
    assert record.pop("responseLink").startswith(f"{BASE_URL}/respond/")
    assert len(record["listing"].pop("id")) == 26
    assert record == {
        "id": "lead_987654",
        "entityType": "listing",
        "channel": "whatsapp",
        "status": "delivered",
        "sender": {
            "name": "John Doe",
            "contacts": [
                {"type": "phone", "value": "+971501234567"},
                {"type": "email", "value": "johndoe@example.com"},
            ],
        },
        "publicProfile": {"id": 40217},
        "listing": {"reference": "APT-DOWNTOWN-101"},
        "tags": [],
        "createdAt": "2025-12-19T10:30:00Z",
    }


def test_unknown_guide_name_and_email_are_null() -> None:
    record = guide(replace(GUIDE_SAMPLE, name=None, email=None))
    assert record["name"] is None
    assert record["email"] is None


def test_guide_leaves_out_what_does_not_apply() -> None:
    record = guide(replace(recorded("none"), listing=None, agent=None))
    assert record.keys() == {"id", "name", "email", "phone", "channel", "createdAt"}


def test_atlas_leaves_out_what_does_not_apply() -> None:
    record = atlas(replace(recorded("none"), name=None, listing=None, agent=None))
    assert record.keys() == {
        "id",
        "entityType",
        "channel",
        "status",
        "sender",
        "call",
        "tags",
        "createdAt",
    }
    assert "name" not in record["sender"]


def test_atlas_call_carries_times_and_recording() -> None:
    assert atlas(ANSWERED)["call"] == {
        "talkTime": 61,
        "waitTime": 4,
        "recordFile": f"{BASE_URL}/recordings/call_lead_1992.wav",
    }


def test_guide_call_carries_a_recording_url() -> None:
    assert guide(ANSWERED)["recordingUrl"] == f"{BASE_URL}/recordings/call_lead_1992.wav"


def test_a_recording_can_be_an_empty_text() -> None:
    assert guide(recorded("empty"))["recordingUrl"] == ""
    assert atlas(recorded("empty"))["call"]["recordFile"] == ""


def test_a_call_without_recording_does_not_mention_one() -> None:
    assert "recordingUrl" not in guide(recorded("none"))
    assert "recordFile" not in atlas(recorded("none"))["call"]


def test_atlas_calls_a_chat_whatsapp() -> None:
    chat = replace(GUIDE_SAMPLE, channel="chat")
    assert guide(chat)["channel"] == "chat"
    assert atlas(chat)["channel"] == "whatsapp"


def test_response_link_is_null_once_replied() -> None:
    assert atlas(replace(GUIDE_SAMPLE, status="replied"))["responseLink"] is None


def test_only_whatsapp_has_a_response_link() -> None:
    assert "responseLink" not in atlas(ANSWERED)
    assert "responseLink" not in atlas(replace(GUIDE_SAMPLE, channel="email"))


def test_atlas_stamps_calls_in_gulf_time() -> None:
    text = atlas(ANSWERED)["createdAt"]
    assert text == "2025-12-19T14:30:00+04:00"
    assert datetime.fromisoformat(text) == GUIDE_SAMPLE.created_at


def test_whatsapp_username_is_a_contact_of_its_own() -> None:
    contacts = atlas(replace(GUIDE_SAMPLE, whatsapp_username="home.seeker"))["sender"]["contacts"]
    assert {"type": "whatsappUsername", "value": "home.seeker"} in contacts


def test_an_unknown_contact_comes_before_the_others() -> None:
    unknown = atlas(replace(GUIDE_SAMPLE, unknown_contact=("botim", "seeker-1")))
    known = atlas(GUIDE_SAMPLE)["sender"]["contacts"]
    assert unknown["sender"]["contacts"] == [{"type": "botim", "value": "seeker-1"}, *known]


def test_atlas_carries_project_developer_distribution_enrichment_and_tags() -> None:
    record = atlas(
        replace(
            GUIDE_SAMPLE,
            project_id="p",
            developer_id="d",
            distribution_type="project_cta",
            enrichment=(("budget", "2M AED"),),
            tags=("from_agent",),
        )
    )
    assert record["project"] == {"id": "p"}
    assert record["developer"] == {"id": "d"}
    assert record["distributionType"] == "project_cta"
    assert record["enrichment"] == {"budget": "2M AED"}
    assert record["tags"] == ["from_agent"]


@pytest.mark.parametrize("render", [guide_record, atlas_record])
def test_unknown_field_is_added(render: Callable[[SandboxLead, str], Record]) -> None:
    record = render(replace(GUIDE_SAMPLE, unknown_field=("device", "ios")), BASE_URL)
    assert isinstance(record, dict)
    assert record["device"] == "ios"


@pytest.mark.parametrize("render", [guide_record, atlas_record])
@pytest.mark.parametrize(
    ("defect", "is_broken"),
    [
        (Defect.ID_MISSING, lambda record: "id" not in record),
        (Defect.ID_NULL, lambda record: record["id"] is None),
        (Defect.CREATED_MISSING, lambda record: "createdAt" not in record),
        (Defect.CREATED_GARBAGE, lambda record: not record["createdAt"][0].isdigit()),
        (Defect.RECORD_IS_TEXT, lambda record: isinstance(record, str)),
        (Defect.RECORD_IS_NULL, lambda record: record is None),
    ],
)
def test_defect_breaks_the_record(
    render: Callable[[SandboxLead, str], Record],
    defect: Defect,
    is_broken: Callable[[Any], bool],
) -> None:
    assert not is_broken(render(GUIDE_SAMPLE, BASE_URL))
    assert is_broken(render(replace(GUIDE_SAMPLE, defect=defect), BASE_URL))


def test_guide_pagination_is_the_guides() -> None:
    assert guide_pagination(total=1, count=1, per_page=50, page=1) == {
        "total": 1,
        "count": 1,
        "perPage": 50,
        "currentPage": 1,
        "totalPages": 1,
    }


def test_atlas_pagination_in_the_middle_has_neighbours() -> None:
    assert atlas_pagination(total=101, per_page=50, page=2) == {
        "page": 2,
        "perPage": 50,
        "total": 101,
        "totalPages": 3,
        "nextPage": 3,
        "prevPage": 1,
    }


def test_atlas_pagination_at_the_ends_has_none() -> None:
    assert atlas_pagination(total=101, per_page=50, page=1)["prevPage"] is None
    assert atlas_pagination(total=101, per_page=50, page=3)["nextPage"] is None
    assert atlas_pagination(total=0, per_page=50, page=1)["nextPage"] is None
