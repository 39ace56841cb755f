"""What the notebooks show things with: charts in greys with units, players that fetch nothing."""

import json
import re
import socket
from pathlib import Path

import pandas as pd
import pytest
from IPython.display import HTML, Markdown

from notebooks import charts, listening
from notebooks.__main__ import demo_crm, environment_for
from pf_pipeline.analysis import (
    leads_by_channel,
    leads_by_day,
    leads_by_hour_and_weekday,
    speed_to_lead,
)
from pf_pipeline.sandbox import RunningSandbox
from pf_pipeline.settings import load_settings
from pf_pipeline_tests.analysis.builders import DUBAI, at, leads

SOME = leads({"channel": "call"}, {"channel": "email"}, {"created_at": at("2025-12-17 08:00")})
SPEED = pd.DataFrame({"agent_id": ["A-01", None], "minutes": [3.0, None]})
NONE = SOME.iloc[:0]

DRAWN = {
    "days": charts.by_day(leads_by_day(SOME, DUBAI), DUBAI),
    "week": charts.by_hour_and_weekday(leads_by_hour_and_weekday(SOME, DUBAI), DUBAI),
    "bars": charts.bars(leads_by_channel(SOME), "channel", "share", "share", form=".0%"),
    "lines": charts.median_and_p90(speed_to_lead(SPEED, ["agent_id"]), "agent_id"),
    "limits": charts.how_soon({"by the clock": speed_to_lead(SPEED)}),
    "line": charts.line(leads_by_day(SOME, DUBAI), "day", "leads", "day", "leads"),
    "columns": charts.columns(leads_by_channel(SOME), "channel", "leads", "channel", "leads"),
}
EMPTY = [
    charts.by_day(leads_by_day(NONE, DUBAI), DUBAI),
    charts.by_hour_and_weekday(leads_by_hour_and_weekday(NONE, DUBAI), DUBAI),
    charts.bars(leads_by_channel(NONE), "channel", "share", "share"),
    charts.median_and_p90(speed_to_lead(SPEED.iloc[:0], ["agent_id"]), "agent_id"),
    charts.how_soon({"by the clock": speed_to_lead(SPEED.iloc[:0])}),
    charts.line(leads_by_day(NONE, DUBAI), "day", "leads", "day", "leads"),
    charts.columns(leads_by_channel(NONE), "channel", "leads", "channel", "leads"),
]


def specification(name: str) -> str:
    chart = DRAWN[name]
    assert not isinstance(chart, Markdown)
    return json.dumps(chart.to_dict())


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_grey_and_says_what_it_measures(name: str) -> None:
    for colour in re.findall(r'"#([0-9a-f]{6})"', specification(name)):
        assert len({colour[:2], colour[2:4], colour[4:]}) == 1, f"#{colour} is no grey"
    titles = re.findall(r'"title": "([^"]+)"', specification(name))
    assert titles
    assert not [title for title in titles if "_" in title], "a column's name is no title"


@pytest.mark.parametrize("name", ["days", "week"])
def test_a_chart_of_time_names_the_time_zone(name: str) -> None:
    assert f"({DUBAI})" in specification(name)


def test_where_there_is_nothing_to_draw_a_sentence_says_so() -> None:
    assert [shown is charts.NOTHING for shown in EMPTY] == [True] * len(EMPTY)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def recordings(*links: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "recording_url": [*links],
            "who": "A <b> name",
            "when": "Fri 19 Dec 10:00",
            "talk_seconds": pd.array([61, *[None] * (len(links) - 1)], dtype="Int64"),
        }
    )


def played(shown: HTML | Markdown) -> list[str]:
    assert isinstance(shown, HTML), shown.data
    return re.findall(r"<audio controls preload='none' src='([^']*)'>", str(shown.data))


def test_recordings_of_a_running_sandbox_get_players(sandbox: RunningSandbox) -> None:
    links = [f"{sandbox.base_url}/recordings/{n}.wav" for n in (1, 2)]
    shown = listening.players(recordings(*links))
    assert played(shown) == links
    assert "A &lt;b&gt; name" in str(shown.data)
    assert "61 s" in str(shown.data)


def test_a_sandbox_that_does_not_run_is_told_in_one_sentence() -> None:
    shown = listening.players(recordings(f"http://127.0.0.1:{free_port()}/recordings/1.wav"))
    assert isinstance(shown, Markdown)
    assert "which does not run: start it in another terminal" in str(shown.data)


def test_real_recordings_get_players_without_being_asked_for() -> None:
    link = "https://recordings.example/1.mp3?a='b'"
    assert played(listening.players(recordings(link))) == [
        "https://recordings.example/1.mp3?a=&#x27;b&#x27;"
    ]


@pytest.mark.parametrize(
    "link", ["http://portal.example/1.mp3", "javascript:alert(1)", "file:///x"]
)
def test_what_is_no_safe_link_gets_no_player(link: str) -> None:
    shown = listening.players(recordings(link))
    assert isinstance(shown, Markdown)
    assert "no recordings" in str(shown.data)


def test_notebooks_know_where_everything_is_whatever_folder_they_run_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(_env_file=None, display_timezone="Africa/Cairo", crm_url="duckdb:///x")
    environment = environment_for(settings, Path("x").resolve())
    assert environment["PF_CRM_URL"] == f"duckdb:///{tmp_path / 'x'}"
    assert environment["PF_DATA_DIR"] == str(tmp_path / "data")
    assert environment["PF_DISPLAY_TIMEZONE"] == "Africa/Cairo"


def test_make_believe_leads_are_made_once(tmp_path: Path) -> None:
    settings = load_settings(_env_file=None, data_dir=tmp_path)
    path = tmp_path / "notebooks" / "crm.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"made before")
    assert demo_crm(settings) == path
    assert path.read_bytes() == b"made before"
