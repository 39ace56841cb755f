import re
from pathlib import Path

import pandas as pd
import pytest

from pf_pipeline.crm import ReferenceDataError
from pf_pipeline.crm.reference_data import read_agents, read_properties
from pf_pipeline_tests.crm.builders import (
    AGENTS,
    NOON,
    OMAR,
    PROPERTIES,
    SARAH,
    SARAHS_REFERENCE,
    UNKNOWN_REFERENCE,
    CrmFile,
    Row,
    agents,
    guide_lead,
    lead,
    of_agent,
    on_listing,
    properties,
    rows_of,
    seen,
)

AGENTS_HEADER = "agent_id,name,email,portal_user_id,portal_profile_id,active\n"
ONE_SENTENCE = re.compile(r"[A-Z][^\n]*[^.\n]\.")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reference.csv"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    return tmp_path / "reference.parquet"


def listings(file: Path, content: str | bytes) -> list[Row]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows_of(read_properties(file))


def people(file: Path, lines: str) -> list[Row]:
    file.write_text(AGENTS_HEADER + lines)
    return rows_of(read_agents(file))


def problem(file: Path, content: bytes) -> str:
    """The one sentence that says why a properties file cannot be used."""
    file.write_bytes(content)
    with pytest.raises(ReferenceDataError) as raised:
        read_properties(file)
    return str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        "internal_ref,agent_id\nAPT-1,7\nAPT-2,8\n",
        "internal_ref;agent_id\nAPT-1;7\nAPT-2;8\n",
        "internal_ref\tagent_id\nAPT-1\t7\nAPT-2\t8\n",
        "\ufeffinternal_ref,agent_id\nAPT-1,7\nAPT-2,8\n",
        "\ufeffinternal_ref;agent_id\r\nAPT-1;7\r\nAPT-2;8\r\n",
        " internal_ref , agent_id \n APT-1 ,7 \nAPT-2,\t8\n",
        "agent_id,internal_ref\n7,APT-1\n8,APT-2\n",
        '"internal_ref","agent_id"\n"APT-1","7"\n"APT-2","8"\n',
        "internal_ref,agent_id\nAPT-1,7.0\n\nAPT-2,8.0",
    ],
)
def test_a_csv_file_is_read_however_it_was_saved(file: Path, content: str) -> None:
    assert listings(file, content) == [
        {"internal_ref": "APT-1", "agent_id": "7"},
        {"internal_ref": "APT-2", "agent_id": "8"},
    ]


def test_further_columns_are_kept_behind_the_needed_ones(file: Path) -> None:
    (row,) = listings(file, "price,internal_ref,agent_id,area m²\n1.5,APT-1,7,Marina; JBR\n")
    assert [*row.items()] == [
        ("internal_ref", "APT-1"),
        ("agent_id", "7"),
        ("price", "1.5"),
        ("area m²", "Marina; JBR"),
    ]


def test_a_separator_within_quotes_separates_nothing(file: Path) -> None:
    (row,) = listings(file, 'internal_ref,agent_id,title\nAPT-1,7,"Sea view, 2BR\nfurnished"\n')
    assert row["title"] == "Sea view, 2BR\nfurnished"


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("1234.0", "1234"),
        ("1234", "1234"),
        ("0012", "0012"),
        ("1234.5", "1234.5"),
        ("v1.0", "v1.0"),
        ("NA", "NA"),
        ("null", "null"),
        ("None", "None"),
        ("nan", "nan"),
        ("1e3", "1e3"),
        ("12345678901234567890", "12345678901234567890"),
        ("-", "-"),
        ("", None),
        ("   ", None),
    ],
)
def test_a_cell_is_a_text_unless_it_is_empty(file: Path, cell: str, read: str | None) -> None:
    assert listings(file, f"internal_ref,agent_id\nAPT-1,{cell}\n")[0]["agent_id"] == read


def test_an_agent_may_be_called_na(file: Path) -> None:
    (row,) = people(file, "7,NA,na@example.com,,,true\n")
    assert (row["name"], row["portal_user_id"]) == ("NA", None)


def test_a_line_that_ends_early_has_empty_cells(file: Path) -> None:
    assert listings(file, "internal_ref,agent_id,title\nAPT-1\n") == [
        {"internal_ref": "APT-1", "agent_id": None, "title": None}
    ]


def test_rows_without_reference_or_agent_id_are_left_out(file: Path) -> None:
    assert listings(file, "internal_ref,agent_id\n,7\nAPT-1,8\n ,9\n") == [
        {"internal_ref": "APT-1", "agent_id": "8"}
    ]
    assert [row["agent_id"] for row in people(file, ",No Id,,,,true\n7,Sarah,,,,true\n")] == ["7"]


def test_a_file_with_nothing_but_a_header_has_no_rows(file: Path) -> None:
    assert listings(file, "internal_ref,agent_id\n") == []
    assert people(file, "") == []


def test_repeated_references_are_all_kept(file: Path) -> None:
    assert len(listings(file, "internal_ref,agent_id\nAPT-1,7\nAPT-1,7\nAPT-1,8\n")) == 3


@pytest.mark.parametrize("word", ["true", "TRUE", "t", "yes", "Y", "1", "1.0", "active", "", " "])
def test_these_words_and_an_empty_cell_make_an_agent_active(file: Path, word: str) -> None:
    assert people(file, f"7,Sarah,,,,{word}\n")[0]["active"] is True


@pytest.mark.parametrize("word", ["false", "False", "F", "no", "n", "0", "0.0", "Inactive"])
def test_these_words_make_an_agent_inactive(file: Path, word: str) -> None:
    assert people(file, f"7,Sarah,,,,{word}\n")[0]["active"] is False


def test_any_other_word_under_active_is_named_with_its_row(file: Path) -> None:
    with pytest.raises(ReferenceDataError, match="'on leave' under 'active' in data row 2:"):
        people(file, "7,Sarah,,,,true\n8,Omar,,,,on leave\n9,Lina,,,,perhaps\n")


def test_a_parquet_file_is_read_like_a_csv_file(parquet: Path) -> None:
    pd.DataFrame(
        {
            "internal_ref": ["APT-1", "APT-2", None],
            "agent_id": [7, 8, 9],
            "price": [1.5, None, 2.0],
            "listed": [pd.Timestamp("2025-01-01"), None, pd.Timestamp("2025-01-02")],
        }
    ).to_parquet(parquet)
    assert rows_of(read_properties(parquet)) == [
        {"internal_ref": "APT-1", "agent_id": "7", "price": "1.5", "listed": "2025-01-01"},
        {"internal_ref": "APT-2", "agent_id": "8", "price": None, "listed": None},
    ]


def test_whole_numbers_of_a_parquet_file_stay_whole_beside_missing_ones(parquet: Path) -> None:
    pd.DataFrame(
        {
            "agent_id": [7, 8],
            "name": ["Sarah", "Omar"],
            "email": None,
            "portal_user_id": [1234, None],
            "portal_profile_id": pd.array([77001, None], dtype="Int64"),
            "active": [True, False],
        }
    ).to_parquet(parquet)
    sarah, omar = rows_of(read_agents(parquet))
    assert (sarah["agent_id"], sarah["portal_user_id"]) == ("7", "1234")
    assert (sarah["portal_profile_id"], sarah["active"]) == ("77001", True)
    assert (omar["portal_user_id"], omar["portal_profile_id"]) == (None, None)
    assert (omar["email"], omar["active"]) == (None, False)


def test_a_parquet_file_without_rows_still_has_columns_of_texts(parquet: Path) -> None:
    frame = pd.DataFrame({"internal_ref": ["APT-1"], "agent_id": [7]})
    frame.iloc[:0].to_parquet(parquet)
    assert read_properties(parquet).dtypes.astype("str").tolist() == ["str", "str"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\x00\x01\x02\x03" * 50,
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        "internal_ref,agent_id\nAPT-1,7\n".encode("utf-16"),
        "internal_ref,agent_id,title\nAPT-1,7,Caf\u00e9\n".encode("cp1252"),
        b"PK\x03\x04 a spreadsheet that was only renamed",
        b'internal_ref,agent_id\n"APT-1,7\n',
        b"ref,agent\nAPT-1,7\n",
        b"internal_ref\nAPT-1\n",
        b"internal_ref,agent_id\nAPT-1,7\nAPT-2,8,9\n",
        b"internal_ref,agent_id\nAPT-1,7,\nAPT-2,8,\n",
        b"internal_ref,agent_id\nAPT-1,7,x,y\nAPT-2,8,x,y\n",
        b"internal_ref,agent_id, agent_id\nAPT-1,7,8\n",
        b"internal_ref,agent_id,price,Price\nAPT-1,7,8,9\n",
    ],
)
def test_a_file_that_is_no_list_of_listings_is_refused_in_one_sentence(
    file: Path, content: bytes
) -> None:
    text = problem(file, content)
    assert ONE_SENTENCE.fullmatch(text)
    assert text.isprintable()
    assert str(file) in text
    assert "PF_PROPERTIES" in text


@pytest.mark.parametrize("content", [b"", b"no Parquet at all", b"PAR1 cut off"])
def test_a_parquet_file_that_is_none_is_refused_in_one_sentence(
    parquet: Path, content: bytes
) -> None:
    text = problem(parquet, content)
    assert ONE_SENTENCE.fullmatch(text)
    assert str(parquet) in text


def test_a_missing_column_is_named_with_those_that_are_there(file: Path) -> None:
    text = problem(file, b"ref,agent_id,price\nAPT-1,7,5\n")
    assert text == (
        f"The file {file} (PF_PROPERTIES) has no column internal_ref: it has ref, agent_id, price."
    )


def test_every_column_of_the_agents_is_needed(file: Path) -> None:
    file.write_text("agent_id,name,active\n7,Sarah,true\n")
    with pytest.raises(
        ReferenceDataError, match="has no column email or portal_user_id or portal_profile_id:"
    ):
        read_agents(file)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_missing_file_is_named_with_its_setting(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReferenceDataError, match=rf"^There is no file .*{name}: set PF_AGENTS to"):
        read_agents(tmp_path / name)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match=r"cannot be read: .*\.$"):
        read_properties(tmp_path)


def test_replacing_says_whether_anything_changed(crm: CrmFile) -> None:
    fewer, other = PROPERTIES.iloc[:2], PROPERTIES.assign(agent_id=OMAR)
    with crm.open() as warehouse:
        changed = [
            warehouse.replace_properties(frame)
            for frame in (PROPERTIES, fewer, fewer, other, other, other.iloc[:0], other.iloc[:0])
        ]
    assert changed == [False, True, False, True, False, True, False]


def test_replacing_people_says_whether_anything_changed(crm: CrmFile) -> None:
    resigned = AGENTS.assign(active=False)
    with crm.open() as warehouse:
        changed = [
            warehouse.replace_agents(frame) for frame in (AGENTS, resigned, resigned, AGENTS)
        ]
    assert changed == [False, True, False, True]


def test_a_value_that_went_missing_is_a_change(crm: CrmFile) -> None:
    with crm.open() as warehouse:
        assert warehouse.replace_agents(agents((SARAH, 1, None, True)))
        assert warehouse.replace_agents(agents((SARAH, None, None, True)))
        assert not warehouse.replace_agents(agents((SARAH, None, None, True)))


def test_listings_of_before_are_gone(crm: CrmFile) -> None:
    crm.refresh(properties=properties(("APT-9", SARAH)))
    assert crm.rows("properties") == [{"internal_ref": "APT-9", "agent_id": SARAH}]


def test_further_columns_come_and_go_with_the_file(crm: CrmFile) -> None:
    with_price = PROPERTIES.assign(price="5", **{"area m²": "Marina"})
    with crm.open() as warehouse:
        assert warehouse.replace_properties(with_price)
        assert warehouse.properties().columns.tolist() == [
            *("internal_ref", "agent_id", "price", "area m²", "reference_key")
        ]
        assert warehouse.replace_properties(PROPERTIES.assign(price="5"))
        assert warehouse.replace_properties(PROPERTIES)
        assert not warehouse.replace_properties(PROPERTIES)
    assert [*crm.rows("properties")[0]] == ["internal_ref", "agent_id"]


def test_what_was_read_and_stored_is_what_the_crm_gives_back(crm: CrmFile, file: Path) -> None:
    file.write_text(AGENTS_HEADER + "7,Sarah,s@example.com,1234.0,,yes\n8,NA,,,77002,no\n")
    read = read_agents(file)
    with crm.open() as warehouse:
        assert warehouse.replace_agents(read)
        assert rows_of(warehouse.agents()) == rows_of(read)
        assert not warehouse.replace_agents(read_agents(file))


def test_listings_have_the_form_that_the_assignment_compares(crm: CrmFile) -> None:
    crm.refresh(properties=properties((" Apt  1 ", SARAH)))
    with crm.open() as warehouse:
        assert warehouse.properties()["reference_key"].tolist() == ["apt1"]


def test_an_empty_crm_has_no_listings_and_no_people(tmp_path: Path) -> None:
    crm = CrmFile(tmp_path / "crm.duckdb")
    with crm.open() as warehouse:
        assert warehouse.properties().columns.tolist() == [
            *("internal_ref", "agent_id", "reference_key")
        ]
        assert (len(warehouse.properties()), len(warehouse.agents())) == (0, 0)
    crm.load(seen(guide_lead()))
    assert crm.lead()["assignment_rule"] == "unassigned"


def test_listings_and_people_may_be_kept_in_the_crm_by_hand(crm: CrmFile) -> None:
    crm.by_hand("UPDATE crm.properties SET agent_id = ?", OMAR)
    crm.by_hand("INSERT INTO crm.agents (agent_id, portal_user_id) VALUES ('11', '4711')")
    crm.load(seen(guide_lead(), lead("other", **of_agent(4711))))
    assert (crm.lead()["agent_id"], crm.lead("other")["agent_id"]) == (OMAR, "11")


def test_tables_that_a_person_made_with_numbers_in_them_serve_as_well(crm: CrmFile) -> None:
    crm.by_hand(
        f"CREATE OR REPLACE TABLE crm.properties AS "
        f"SELECT '{SARAHS_REFERENCE}' AS internal_ref, 7 AS agent_id UNION ALL SELECT '101', 8"
    )
    crm.by_hand(
        "CREATE OR REPLACE TABLE crm.agents AS SELECT 7 AS agent_id, 'S' AS name, '' AS email, "
        "1234 AS portal_user_id, 77001 AS portal_profile_id, 1 AS active"
    )
    crm.load(seen(guide_lead(), lead("other", **of_agent(1234))))
    assert (crm.lead()["agent_id"], crm.lead("other")["agent_id"]) == (SARAH, SARAH)
    with crm.open() as warehouse:
        assert warehouse.replace_properties(properties((SARAHS_REFERENCE, "A7")))
    assert crm.refresh(now=NOON) == 0


def test_what_a_person_writes_into_the_tables_counts_at_the_next_load(crm: CrmFile) -> None:
    crm.load(seen(lead("before", **on_listing(UNKNOWN_REFERENCE))))
    crm.by_hand("INSERT INTO crm.properties VALUES (?, ?)", UNKNOWN_REFERENCE.lower(), OMAR)
    crm.load(seen(lead("after", **on_listing(UNKNOWN_REFERENCE))))
    assert crm.lead("after")["agent_id"] == OMAR
    crm.by_hand("UPDATE crm.agents SET active = FALSE WHERE agent_id = ?", OMAR)
    crm.load(seen(lead("later", **on_listing(UNKNOWN_REFERENCE))))
    assert (crm.lead("before")["agent_id"], crm.lead("later")["agent_id"]) == (None, None)
