import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pf_pipeline.leads.parser import (
    ParsedLead,
    Rejection,
    decode_page,
    parse_instant,
    parse_record,
    raw_json,
)
from pf_pipeline_tests.leads.builders import (
    GUIDE_RESPONSE,
    Record,
    atlas_lead,
    bare_lead,
    every_text,
    extra_of,
    guide_lead,
    json_values,
    nested,
    parsed,
    rejection,
    thorough,
)

# ---- the two shapes


def test_the_guides_sample_response_gives_every_column() -> None:
    (record,) = decode_page(GUIDE_RESPONSE)
    assert parse_record(record) == ParsedLead(
        lead_id="lead_987654",
        created_at=datetime(2025, 12, 19, 10, 30, tzinfo=UTC),
        channel="whatsapp",
        status=None,
        entity_type=None,
        name="John Doe",
        email="johndoe@example.com",
        phone="+971501234567",
        whatsapp_username=None,
        message="I am interested in this apartment, please call me.",
        listing_id="554433",
        listing_reference="APT-DOWNTOWN-101",
        listing_title="Luxury 2BR in Downtown",
        portal_agent_id="1234",
        portal_agent_kind="user",
        portal_agent_name="Agent Sarah",
        response_link=None,
        recording_url=None,
        talk_seconds=None,
        wait_seconds=None,
        tags=None,
        extra=None,
    )


def test_an_atlas_lead_gives_every_column() -> None:
    lead = parsed(atlas_lead())
    assert lead._replace(extra=None) == ParsedLead(
        lead_id="call_lead_1992",
        created_at=datetime(2025, 12, 19, 10, 30, tzinfo=UTC),
        channel="call",
        status="replied",
        entity_type="listing",
        name="Omar Haddad",
        email="omar@example.com",
        phone="+971 50 765 4321",
        whatsapp_username="omar.h",
        message=None,
        listing_id="01HZX3V9K2M4N5P6Q7R8S9T0AB",
        listing_reference="VIL-MARINA-7",
        listing_title=None,
        portal_agent_id="77001",
        portal_agent_kind="profile",
        portal_agent_name=None,
        response_link=None,
        recording_url="https://recordings.example/1992.mp3",
        talk_seconds=63,
        wait_seconds=5,
        tags='["hot","from_agent"]',
        extra=None,
    )
    assert json.loads(str(lead.extra)) == {
        "project": {"id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
        "distributionType": "project_cta",
        "enrichment": {"nationality": "JO"},
    }


def test_a_whatsapp_lead_of_atlas_may_have_no_more_than_a_username() -> None:
    contacts = [{"type": "whatsappUsername", "value": "omar.h"}]
    lead = parsed(bare_lead(channel="whatsapp", sender={"contacts": contacts}))
    assert (lead.whatsapp_username, lead.name, lead.phone) == ("omar.h", None, None)


def test_the_response_link_is_kept_as_a_text() -> None:
    link = "https://wa.example/respond/1"
    assert parsed(atlas_lead(responseLink=link)).response_link == link


# ---- one parser for both: the table of section 4


def test_the_id_is_the_records_own_in_both_dialects() -> None:
    assert parsed(guide_lead()).lead_id == "lead_987654"
    assert parsed(atlas_lead()).lead_id == "call_lead_1992"


def test_the_name_is_the_senders_where_the_lead_has_none_itself() -> None:
    assert parsed(bare_lead(name="John Doe")).name == "John Doe"
    assert parsed(bare_lead(sender={"name": "Omar Haddad"})).name == "Omar Haddad"


def test_email_and_phone_are_the_first_contact_of_their_type() -> None:
    contacts = [
        {"type": "phone", "value": "+971501111111"},
        {"type": "email", "value": "first@example.com"},
        {"type": "phone", "value": "+971502222222"},
        {"type": "email", "value": "second@example.com"},
    ]
    lead = parsed(bare_lead(sender={"contacts": contacts}))
    assert (lead.phone, lead.email) == ("+971501111111", "first@example.com")


def test_the_whatsapp_handle_is_the_first_contact_of_its_type() -> None:
    contacts = [
        {"type": "whatsappUsername", "value": "first"},
        {"type": "whatsappUsername", "value": "second"},
    ]
    assert parsed(bare_lead(sender={"contacts": contacts})).whatsapp_username == "first"


def test_a_message_is_the_guides_alone() -> None:
    assert parsed(guide_lead()).message is not None
    assert parsed(atlas_lead()).message is None


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (554433, "554433"),
        ("01HZX3V9K2M4N5P6Q7R8S9T0AB", "01HZX3V9K2M4N5P6Q7R8S9T0AB"),
        ("00123", "00123"),
        (12345678901234567890, "12345678901234567890"),
    ],
)
def test_a_listing_id_is_always_text(sent: object, text: str) -> None:
    assert parsed(bare_lead(listing={"id": sent})).listing_id == text


def test_a_listing_title_is_the_guides_alone() -> None:
    assert parsed(guide_lead()).listing_title == "Luxury 2BR in Downtown"
    assert parsed(atlas_lead()).listing_title is None


def test_the_portals_agent_is_a_user_in_the_guide_and_a_profile_in_atlas() -> None:
    guide, atlas = parsed(guide_lead()), parsed(atlas_lead())
    assert (guide.portal_agent_id, guide.portal_agent_kind) == ("1234", "user")
    assert (atlas.portal_agent_id, atlas.portal_agent_kind) == ("77001", "profile")


def test_a_portal_agent_without_an_id_has_no_kind_and_no_name() -> None:
    lead = parsed(bare_lead(assignedTo={"name": "Agent Sarah"}))
    assert (lead.portal_agent_id, lead.portal_agent_kind, lead.portal_agent_name) == (None,) * 3
    assert extra_of(bare_lead(assignedTo={"name": "Agent Sarah"})) == {
        "assignedTo.name": "Agent Sarah"
    }


def test_a_lead_with_both_kinds_of_agent_takes_the_user_and_keeps_the_profile() -> None:
    record = bare_lead(assignedTo={"id": 1234}, publicProfile={"id": 77001, "name": "Sarah"})
    lead = parsed(record)
    assert (lead.portal_agent_id, lead.portal_agent_kind) == ("1234", "user")
    assert extra_of(record) == {"publicProfile.id": 77001, "publicProfile.name": "Sarah"}


RECORDING = "https://recordings.example/1.mp3"


@pytest.mark.parametrize(
    "fields",
    [
        {"recordingUrl": RECORDING},
        {"recording_url": RECORDING},
        {"callRecording": RECORDING},
        {"call": {"recordFile": RECORDING}},
        {"call": {"recordingUrl": RECORDING}},
    ],
)
def test_a_recording_is_found_under_each_of_its_names(fields: Record) -> None:
    lead = parsed(bare_lead(**fields))
    assert lead.recording_url == RECORDING
    assert lead.extra is None


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_empty_recording_is_none_yet(empty: str | None) -> None:
    lead = parsed(atlas_lead(call={"talkTime": 63, "waitTime": 5, "recordFile": empty}))
    assert (lead.recording_url, lead.talk_seconds) == (None, 63)


def test_a_recording_that_is_no_web_address_is_kept_but_is_no_link() -> None:
    record = bare_lead(call={"recordFile": "javascript:alert(1)"})
    assert parsed(record).recording_url is None
    assert extra_of(record) == {"call.recordFile": "javascript:alert(1)"}


def test_a_second_recording_is_kept() -> None:
    record = bare_lead(recordingUrl=RECORDING, call={"recordFile": "https://other.example/2.mp3"})
    assert parsed(record).recording_url == RECORDING
    assert extra_of(record) == {"call.recordFile": "https://other.example/2.mp3"}


# ---- texts, numbers and instants


def test_texts_come_without_surrounding_blanks_and_empty_ones_are_missing() -> None:
    lead = parsed(bare_lead(name="  John Doe\n", message=" \t ", email=""))
    assert (lead.name, lead.message, lead.email) == ("John Doe", None, None)


def test_unknown_channels_and_statuses_are_kept_as_they_come() -> None:
    lead = parsed(bare_lead(channel="carrier-pigeon", status="ghosted", entityType="yacht"))
    assert (lead.channel, lead.status, lead.entity_type) == ("carrier-pigeon", "ghosted", "yacht")


@pytest.mark.parametrize("channel", [None, "", " "])
def test_a_lead_without_a_channel_has_the_channel_unknown(channel: str | None) -> None:
    assert parsed(bare_lead(channel=channel)).channel == "unknown"


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(63, 63), (62.6, 63), ("63", 63), ("62.6", 63), (0, 0), (86400, 86400)],
)
def test_talk_and_wait_times_are_whole_seconds(sent: object, seconds: int) -> None:
    lead = parsed(bare_lead(call={"talkTime": sent, "waitTime": sent}))
    assert (lead.talk_seconds, lead.wait_seconds) == (seconds, seconds)
    assert lead.extra is None


@pytest.mark.parametrize("sent", [-1, 86401, "soon", "", True, [63], 10**400, "9" * 5000, "nan"])
def test_a_time_that_is_none_is_kept_but_no_number(sent: object) -> None:
    record = bare_lead(call={"talkTime": sent})
    assert parsed(record).talk_seconds is None
    assert "call.talkTime" in extra_of(record)


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the offset follows
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from("T t"),
)
@thorough
def test_an_instant_with_any_offset_comes_out_in_utc_at_the_same_instant(
    local: datetime, offset: int, separator: str
) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    created_at = parsed(bare_lead(createdAt=instant.isoformat(separator))).created_at
    assert created_at == instant
    assert created_at.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2025-12-19T10:30:00Z",
        "2025-12-19T10:30:00z",
        "2025-12-19t10:30:00+00:00",
        "2025-12-19T14:30:00+04:00",
        "2025-12-19T14:30:00+0400",
        "2025-12-19T10:30:00.000Z",
        "2025-12-19T10:30:00.000000000Z",
        "2025-12-19T10:30Z",
        " 2025-12-19T10:30:00Z ",
        "2025-12-19T10:30:00",
    ],
)
def test_an_instant_is_read_in_every_usual_spelling(text: str) -> None:
    assert parse_instant(text) == datetime(2025, 12, 19, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    ["", "yesterday", "2025-12-19", "2025-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
     "9999-12-31T23:59:59-14:00", 1766140200, 1e300, True, [], {}, "\ud800" * 20, "\0" * 20],
)  # fmt: skip
def test_what_is_no_instant_is_none(sent: object) -> None:
    assert parse_instant(sent) is None


@given(every_text | st.text("0123456789-:TZW+. ", min_size=10, max_size=35))
@thorough
def test_no_text_at_all_upsets_the_reading_of_instants(text: str) -> None:
    instant = parse_instant(text)
    assert instant is None or instant.tzinfo is UTC


# ---- rejections


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "the record is null, not an object"),
        (True, "the record is a boolean, not an object"),
        ("lead_1", "the record is a text, not an object"),
        ([{"id": "lead_1"}], "the record is a list, not an object"),
        (12, "the record is a number, not an object"),
        (1.5, "the record is a number, not an object"),
        ({}, "id is missing"),
        (bare_lead(id=None), "id is missing"),
        (bare_lead(id=""), "id is not a text"),
        (bare_lead(id="\0"), "id is not a text"),
        (bare_lead(id=False), "id is not a text"),
        (bare_lead(id=12.5), "id is not a text"),
        (bare_lead(id={"id": "lead_1"}), "id is not a text"),
        (bare_lead(id=10**41), "id is not a text"),
    ],
)
def test_a_record_without_an_id_is_rejected(record: object, reason: str) -> None:
    assert rejection(record) == Rejection(None, reason)


@pytest.mark.parametrize(
    ("created_at", "reason"),
    [
        (None, "createdAt is missing"),
        ("", "createdAt is not an ISO-8601 instant"),
        ("2025-12-19", "createdAt is not an ISO-8601 instant"),
        (1766140200, "createdAt is not an ISO-8601 instant"),
    ],
)
def test_a_lead_without_an_instant_of_creation_is_rejected_by_its_id(
    created_at: object, reason: str
) -> None:
    assert rejection(guide_lead(createdAt=created_at)) == Rejection("lead_987654", reason)


# ---- what has no column is kept


def test_unknown_fields_are_kept_wherever_they_stand() -> None:
    record = atlas_lead(
        score=0.9,
        sender={"name": "Omar", "language": "ar"},
        listing={"id": "01H", "bedrooms": 2},
        call={"talkTime": 1, "provider": "twilio"},
        publicProfile={"id": 77001, "branch": {"id": 5}},
        assignedTo={"team": ["sales"]},
    )
    assert extra_of(record).items() >= {
        "score": 0.9,
        "sender.language": "ar",
        "listing.bedrooms": 2,
        "call.provider": "twilio",
        "publicProfile.branch": {"id": 5},
        "assignedTo.team": ["sales"],
    }.items()  # fmt: skip


plain_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
plain_values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_texts,
    lambda inner: st.lists(inner) | st.dictionaries(plain_texts, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(plain_texts.map("x-{}".format), plain_values, max_size=4))
@thorough
def test_every_unknown_field_is_kept_as_it_is(unknown: Record) -> None:
    assert extra_of(guide_lead(**unknown)) == unknown


def test_an_unknown_field_that_looks_like_a_parts_field_displaces_nothing() -> None:
    names = [f"field{n}" for n in range(9)]
    record = bare_lead(
        listing=dict.fromkeys(names, 3),
        **dict.fromkeys([f"listing.{name}" for name in names], 4),
        **dict.fromkeys([f"/listing.{name}" for name in names], 5),
    )
    assert extra_of(record) == {
        **dict.fromkeys([f"listing.{name}" for name in names], 3),
        **dict.fromkeys([f"//listing.{name}" for name in names], 4),
        **dict.fromkeys([f"/listing.{name}" for name in names], 5),
    }


def test_a_known_field_of_a_wrong_type_is_kept_and_the_column_is_missing() -> None:
    record = bare_lead(name=["John"], sender="John", listing=7, call=[1], tags="hot", phone={})
    lead = parsed(record)
    assert (lead.name, lead.listing_id, lead.tags, lead.phone) == (None,) * 4
    assert extra_of(record) == {
        "name": ["John"],
        "sender": "John",
        "listing": 7,
        "call": [1],
        "tags": "hot",
        "phone": {},
    }


@pytest.mark.parametrize(
    "second",
    [
        {"type": "phone", "value": "+971502222222"},
        {"type": "fax", "value": "+97142222222"},
        {"type": "phone", "value": ["+971502222222"]},
        {"type": ["phone"], "value": "+971502222222"},
        {"value": "+971502222222"},
        "+971502222222",
    ],
)
def test_another_contact_is_kept_whatever_its_shape(second: object) -> None:
    first = {"type": "phone", "value": "+971501111111"}
    record = bare_lead(sender={"contacts": [first, second]})
    assert parsed(record).phone == "+971501111111"
    assert extra_of(record) == {"sender.contacts": [second]}


def test_a_contact_that_says_more_than_type_and_value_is_kept_whole() -> None:
    contact = {"type": "phone", "value": "+971501111111", "verified": True}
    record = bare_lead(sender={"contacts": [contact]})
    assert parsed(record).phone == "+971501111111"
    assert extra_of(record) == {"sender.contacts": [contact]}


def test_a_contact_that_says_nothing_new_is_not_kept() -> None:
    contacts = [
        {"type": "phone", "value": "+971501111111", "label": None},
        {"type": "phone", "value": " +971501111111 "},
        {"type": "email", "value": ""},
        {"type": "email", "value": None},
        {},
        None,
    ]
    assert extra_of(bare_lead(sender={"contacts": contacts})) == {}


def test_where_a_lead_has_both_shapes_the_guides_fields_win_and_the_others_are_kept() -> None:
    contacts = [
        {"type": "email", "value": "other@example.com"},
        {"type": "phone", "value": "+971501234567"},
    ]
    record = guide_lead(sender={"name": "Johnny", "contacts": contacts})
    lead = parsed(record)
    assert (lead.name, lead.email) == ("John Doe", "johndoe@example.com")
    assert extra_of(record) == {"sender.name": "Johnny", "sender.contacts": [contacts[0]]}


# A record of any shape under known and unknown names, with a number of its own in every text.
KNOWN_NAMES = [
    *("id", "name", "email", "phone", "message", "channel", "listing", "reference", "title"),
    *("assignedTo", "entityType", "status", "sender", "contacts", "type", "value", "tags"),
    *("publicProfile", "call", "talkTime", "waitTime", "recordFile", "recordingUrl"),
    *("recording_url", "callRecording", "responseLink"),
]
names = st.sampled_from([*KNOWN_NAMES, "budget", "utm.source", "listing.id", "sender.contacts"])
leaves = st.sampled_from(["<#>", "https://<#>/", "phone", "email", "whatsappUsername"])
contact_lists = st.lists(
    st.dictionaries(st.sampled_from(["type", "value", "budget"]), leaves, max_size=3), max_size=4
)
marked_values = st.recursive(
    leaves | contact_lists,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)
marked_senders = st.fixed_dictionaries({"contacts": contact_lists, "name": leaves})
marked_records = st.tuples(
    st.dictionaries(names, marked_values, max_size=8),
    st.fixed_dictionaries({}, optional={"sender": marked_senders}),
).map(lambda parts: parts[0] | parts[1])


def numbered(value: Any, numbers: Iterator[int]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: numbered(member, numbers) for key, member in value.items()}
    if isinstance(value, list):
        return [numbered(member, numbers) for member in value]
    return value.replace("#", f"n{next(numbers)}")


@given(marked_records)
@example({"sender": {"contacts": [{"type": "phone", "value": ["<#>"]}]}})
@example({"sender": {"contacts": [{"type": "phone", "value": "<#>", "budget": "<#>"}]}})
@example({"phone": "<#>", "name": "<#>", "sender": {"name": "<#>", "contacts": [
    {"type": "phone", "value": "<#>"}]}})  # fmt: skip
@example({"listing": {"budget": "<#>"}, "listing.budget": "<#>"})
@thorough
def test_nothing_that_a_lead_says_is_lost(shape: Record) -> None:
    record = bare_lead(**numbered(shape, iter(range(1000))))
    if not isinstance(record["id"], str):
        record["id"] = "lead_1"
    said = set(re.findall(r"<n\d+>", json.dumps(record)))
    assert said <= set(re.findall(r"<n\d+>", repr(parsed(record))))


# ---- any JSON value


@given(json_values)
@thorough
def test_any_json_value_is_a_lead_or_a_rejection(value: object) -> None:
    assert isinstance(parse_record(value), ParsedLead | Rejection)


@st.composite
def mutated_leads(draw: st.DrawFn) -> Record:
    """A valid lead in which fields are dropped, nulled, replaced, added, at any depth."""
    record: Record = draw(st.sampled_from([guide_lead, atlas_lead]))()
    for _ in range(draw(st.integers(1, 6))):
        holders = [record, *(part for part in record.values() if isinstance(part, dict))]
        contacts = record.get("sender")
        if isinstance(contacts, dict) and isinstance(contacts.get("contacts"), list):
            holders += [item for item in contacts["contacts"] if isinstance(item, dict)]
            if draw(st.booleans()):
                contacts["contacts"].append(draw(json_values))
        holder = draw(st.sampled_from(holders))
        field = draw(st.sampled_from([*sorted(holder), *KNOWN_NAMES]) | every_text)
        if draw(st.booleans()):
            holder[field] = draw(json_values)
        else:
            holder.pop(field, None)
    return record


@given(mutated_leads())
@thorough
def test_a_damaged_lead_is_a_lead_or_a_rejection_of_clean_texts(record: Record) -> None:
    outcome = parse_record(record)
    for value in outcome:
        assert not isinstance(value, str) or is_clean(value)
    if isinstance(outcome, ParsedLead):
        assert isinstance(outcome.lead_id, str)
        assert outcome.created_at.tzinfo is UTC
        assert all(is_clean(text) for text in texts_in(json.loads(outcome.extra or "{}")))
        assert all(is_clean(text) for text in texts_in(json.loads(outcome.tags or "[]")))


def is_clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from texts_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts_in(member)


def test_no_nul_and_no_half_of_a_surrogate_pair_reaches_a_column() -> None:
    odd = "a\0b\ud83d"
    record = bare_lead(id=odd, name=odd, tags=[odd], **{odd: [odd]})
    lead = parsed(record)
    assert (lead.lead_id, lead.name, lead.tags) == ("ab?", "ab?", '["ab?"]')
    assert extra_of(record) == {"ab?": ["ab?"]}


@pytest.mark.parametrize("depth", [10, 900, 985, 5000])
def test_a_lead_of_any_depth_is_kept(depth: int) -> None:
    lead = parsed(bare_lead(deep=nested(depth)))
    assert lead.extra is not None
    assert lead.extra.replace(" ", "") == '{"deep":' + "[" * depth + '"bottom"' + "]" * depth + "}"


@pytest.mark.parametrize("depth", [10, 900, 985, 5000])
def test_a_reject_of_any_depth_is_kept_whole(depth: int) -> None:
    assert raw_json(nested(depth)) == "[" * depth + '"bottom"' + "]" * depth


@pytest.mark.parametrize("field", ["id", "name", "phone", "message", "status"])
def test_a_number_in_the_place_of_a_text_becomes_the_text(field: str) -> None:
    column = "lead_id" if field == "id" else field
    assert getattr(parsed(bare_lead(**{field: 971501234567})), column) == "971501234567"
    assert getattr(parsed(bare_lead(**{field: 971501234567.0})), column) == "971501234567"


def test_a_number_beyond_every_range_is_kept_but_no_text() -> None:
    record = bare_lead(name=10**400, phone=float("inf"), budget=10**5000)
    lead = parsed(record)
    assert (lead.name, lead.phone) == (None, None)
    assert extra_of(record).keys() == {"name", "phone", "budget"}


@given(mutated_leads())
@thorough
def test_the_same_record_always_reads_the_same(record: Record) -> None:
    shuffled = dict(reversed(record.items()))
    assert parse_record(record) == parse_record(shuffled)


# ---- pages


def test_a_page_gives_its_records_in_the_order_received() -> None:
    assert decode_page(b'{"data": [{"id": 2}, null, 7], "pagination": {}}') == [{"id": 2}, None, 7]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": [',
        b"\xff\xfe\xfd",
    ],
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a decoding error is a ValueError of its own words
        decode_page(body)


def test_a_page_nested_too_deep_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        decode_page(b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_a_number_that_nothing_else_reads_harms_neither_page_nor_neighbours(number: str) -> None:
    body = f'{{"data": [{{"id": "lead_1", "budget": {number}}}, {{"id": "lead_2"}}]}}'
    assert decode_page(body.encode()) == [{"id": "lead_1", "budget": number}, {"id": "lead_2"}]
