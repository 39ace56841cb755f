"""The report stands alone, tells what the metrics tell, and names nobody."""

import re
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest

from pf_pipeline.analysis import CrmFrames, read_crm
from pf_pipeline.analysis.report import duration, key_figures, report_page
from pf_pipeline.settings import Settings
from pf_pipeline_tests.analysis.builders import (
    DUBAI,
    PERSONAL,
    Row,
    at,
    events,
    leads,
    observations,
    properties,
    recordings,
)

NOW = at("2025-12-20 02:00")
CLOSED_BY_NOBODY = {"meta"}


def crm_of(*rows: Row, replied_after: timedelta | None = None) -> CrmFrames:
    some = leads(*rows)
    replies = (
        [] if replied_after is None else [*zip(some["lead_id"], some["created_at"], strict=True)]
    )
    return CrmFrames(
        leads=some,
        events=events(
            *((id_, "replied", made + (replied_after or timedelta())) for id_, made in replies)
        ),
        recordings=recordings(),
        properties=properties("APT-13"),
        agents=pd.DataFrame(),
        observations=observations(
            *((id_, "poll", made + timedelta(minutes=3), made) for id_, made in replies)
        ),
        timezone=DUBAI,
    )


class Reader(HTMLParser):
    """Checks that tags are closed in order, and gathers what is shown, and what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shown: list[str] = []
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in CLOSED_BY_NOBODY:
            self.open.append(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href"}]
        assert tag not in {"script", "link", "img", "iframe"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.shown.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def rows(html: str) -> list[list[str]]:
    """The cells of all rows of tables."""
    lines = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", line) for line in lines]


def test_nothing_personal_stands_in_it(settings: Settings) -> None:
    html = report_page(read_crm(settings=settings), NOW)
    for kind, value in PERSONAL.items():
        assert value not in html, kind
    assert "masked-" not in html
    assert "+971" not in html
    assert "@" not in html


def test_it_stands_alone(settings: Settings) -> None:
    html = report_page(read_crm(settings=settings), NOW)
    assert read(html).references == []
    assert not re.search(r"https?:|@import|url\(", html)


def test_first_come_the_figures_that_matter() -> None:
    # Ten messages, replied to after 30 minutes; nobody has them.
    crm = crm_of(*[{"status": "replied"}] * 10, replied_after=timedelta(minutes=30))
    assert key_figures(crm) == {
        "leads": "10",
        "of messages replied to within 1 h": "100%",
        "of calls answered": "\N{EN DASH}",
        "leads without an agent": "10",
    }
    shown = read(report_page(crm, NOW)).shown
    first_screen = shown[: shown.index("Who answers messages late")]
    assert all(figure in first_screen for figure in ("10", "100%", "leads without an agent"))
    assert "days and hours of Asia/Dubai" in " ".join(first_screen)


def test_agents_with_few_leads_are_left_out() -> None:
    many = [{"agent_id": "A-01", "status": "replied"}] * 10
    few = [{"agent_id": "A-02", "status": "replied"}] * 9
    html = report_page(crm_of(*many, *few, replied_after=timedelta(minutes=90)), NOW)
    assert ["A-01", "10", "0%", "0%", "1 h 30 min", "1 h 30 min"] in rows(html)
    assert "A-02" not in html


def test_calls_and_backlog_are_told() -> None:
    calls = [{"channel": "call", "agent_id": "A-01", "status": "replied"}] * 9
    missed = {"channel": "call", "agent_id": "A-01", "status": "delivered"}
    waiting = {
        "assignment_reason": "no property has the reference <APT-12>",
        "listing_reference": "<APT-12>",
        "created_at": at("2025-12-10 02:00"),
    }
    html = report_page(crm_of(*calls, missed, waiting), NOW)
    assert ["A-01", "10", "1", "90%", "0%"] in rows(html)
    assert ["no property has the reference &lt;APT-12&gt;", "1", "10"] in rows(html)
    assert ["&lt;APT-12&gt;", "APT-13", "1"] in rows(html)


def test_only_the_last_four_weeks_count() -> None:
    # 28 days up to the 19th begin on November 22nd, at 20:00 UTC of the 21st.
    edge = at("2025-11-21 20:00")
    crm = crm_of({}, {"created_at": edge}, {"created_at": edge - timedelta(seconds=1)})
    assert crm.latest(28).leads["lead_id"].tolist() == ["lead-0", "lead-1"]
    assert "<b>2</b>leads" in report_page(crm, NOW)


def test_a_crm_without_leads_has_a_report() -> None:
    html = report_page(crm_of(), NOW)
    assert "The CRM has no leads yet" in html
    assert read(html).shown.count("\N{EN DASH}") == 2


def test_leads_of_the_guide_dialect_have_no_response_times() -> None:
    html = report_page(crm_of(*[{"status": None, "agent_id": "A-01"}] * 20), NOW)
    assert "None." in html
    assert "A-01" not in html


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 min"),
        (59.4, "59 min"),
        (59.6, "1 h 0 min"),
        (200, "3 h 20 min"),
        (24 * 60, "1 d 0 h"),
        (50 * 60, "2 d 2 h"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_times_are_told_in_two_units(minutes: float, words: str) -> None:
    assert duration(minutes) == words


def test_reading_gives_frames_with_their_types(settings: Settings) -> None:
    crm = read_crm(settings=settings)
    assert crm.leads["lead_id"].tolist() == ["call-1", "message-2"]
    assert crm.events["value"].tolist() == ["replied"]
    assert crm.recordings["talk_seconds"].tolist() == [60]
    assert crm.agents["agent_id"].tolist() == ["10", "7", "8", "9"]
    assert crm.agents["active"].tolist() == [False, True, True, True]
    assert len(crm.observations) == 2
    assert isinstance(crm.leads["created_at"][0], datetime)
    assert crm.timezone == DUBAI


def test_a_name_is_read_where_it_is_asked_for(settings: Settings) -> None:
    crm = read_crm(settings=settings, reveal=["agents.name"])
    assert crm.agents["name"].unique().tolist() == [PERSONAL["agent"]]
