"""A real browser in front of the real ``pf-pipeline ui``."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from pf_pipeline_tests.browser.ui_process import RunningUi, free_ports, started_ui
from pf_pipeline_tests.browser.visitor import Visitor

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright adds --headless and a new user data folder.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SAMPLE_DAY = "2025-12-19"


@pytest.fixture(scope="session")
def browser_path() -> str:
    """``PF_BROWSER``, or what the system has; skipped without, unless PF_REQUIRE_BROWSER is 1."""
    named = os.environ.get("PF_BROWSER")
    for name in [named] if named else BROWSERS:
        if path := shutil.which(name):
            return path
    reason = f"no browser: {named or ', '.join(BROWSERS)} not found (PF_BROWSER names another)"
    if os.environ.get("PF_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


# Of the package, not of the session: nobody else may use asyncio while Playwright runs.
@pytest.fixture(scope="package")
def browser(browser_path: str) -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=browser_path, args=FLAGS)) as browser,
    ):
        yield browser


@pytest.fixture(scope="package")
def ui(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUi]:
    """A running UI with a sandbox behind it, which at last ends without leaving anything."""
    assert browser_path
    folder = tmp_path_factory.mktemp("ui")
    with started_ui(folder, ports=free_ports(3)) as ui:
        ui.wait_until_it_serves()
        assert "could not be loaded" not in ui.said, ui.said
        assert ui.groups.keys() == {"receiver", "sandbox", "webserver", "daemon"}
        yield ui
        assert ui.end() == 0
        assert ui.said.rstrip().endswith("Stopping ...")
        assert ui.left_behind() == []


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where people can look at what the tests saw."""
    folder = os.environ.get("PF_SCREENSHOTS")
    return Path(folder) if folder else tmp_path_factory.mktemp("screenshots")


VisitorFactory = Callable[[], Visitor]


@pytest.fixture(scope="package")
def new_visitor(browser: Browser, ui: RunningUi, screenshots: Path) -> VisitorFactory:
    return lambda: Visitor(browser, ui.address, screenshots)


@pytest.fixture
def visitor(new_visitor: VisitorFactory, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Somebody with a browser of their own, whose last view is kept if the test fails."""
    failures = request.session.testsfailed
    with closing(new_visitor()) as visitor:
        yield visitor
        if request.session.testsfailed > failures:
            visitor.shoot(f"failed-{request.node.name}")


@pytest.fixture(scope="package")
def sample_day_run(new_visitor: VisitorFactory) -> str:
    """The id of a run of everything for the sample day, launched from the asset graph by hand."""
    with closing(new_visitor()) as visitor:
        visitor.open("/")
        visitor.follow("Lineage")
        visitor.choose_partitions(SAMPLE_DAY)
        visitor.shoot("one-day-1-chosen")
        run_id = visitor.launch("Launch 1 run")
        visitor.shoot("one-day-2-launched")
        assert visitor.run_outcome() == "Success"
        visitor.shoot("one-day-3-succeeded")
    return run_id
