"""What a person does in the Dagster UI, in the words that stand on its buttons."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, expect

ACTION_SECONDS = 45
RUN_SECONDS = 240
"""A backfill in three steps waits for three ticks of the daemon, half a minute each."""


class Visitor:
    """Somebody in front of a browser."""

    def __init__(self, browser: Browser, address: str, screenshots: Path) -> None:
        self._address = address
        self._screenshots = screenshots
        self._context = browser.new_context(
            base_url=address,
            viewport={"width": 1500, "height": 950},
            locale="en-US",
            timezone_id="UTC",
        )
        self._context.set_default_timeout(ACTION_SECONDS * 1000)
        self.page = self._context.new_page()

    def close(self) -> None:
        self._context.close()

    def open(self, path: str) -> None:
        self.page.goto(path)

    def follow(self, entry: str) -> None:
        """Click an entry of the navigation on the left, whose icon has a name, too."""
        self.page.get_by_role("link", name=re.compile(rf"^\w+ {entry}$")).click()

    def shoot(self, name: str) -> None:
        """Keep what is to be seen."""
        self._screenshots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._screenshots / f"{name}.png")

    def sees(self, text: str | re.Pattern[str], *, seconds: float = ACTION_SECONDS) -> None:
        """Wait until a text is to be seen."""
        found = self.page.get_by_text(text, exact=isinstance(text, str))
        expect(found.filter(visible=True).first).to_be_visible(timeout=seconds * 1000)

    def choose_partitions(self, days: str) -> None:
        """Press *Materialize all* and choose days, however long past they are."""
        self.page.get_by_role("button", name="Materialize all").click()
        chosen = self.page.get_by_placeholder("ex: 2025-01-01").or_(
            self.page.get_by_placeholder("No matching partitions")
        )
        self.page.get_by_role("button", name="Show all partitions").click()
        chosen.fill(days)
        chosen.press("Enter")

    def launch(self, button: str) -> str:
        """Press the launch button, follow the notice to what was launched, and give its id."""
        self.page.get_by_role("button", name=button, exact=True).click()
        self.page.get_by_role("link", name="View", exact=True).click()
        self.page.wait_for_url(re.compile(r"/runs/"))
        self.page.mouse.move(0, 0)  # the notice stays while the mouse is over it
        return self.page.url.partition("?")[0].rpartition("/")[2]

    def run_outcome(self) -> str:
        """On the page of a run: wait for its end, and give what the page says of it."""
        return _ended(self.page.get_by_text(_words("Success", "Failure", "Canceled")))

    def backfill_outcome(self) -> str:
        """On the page of a backfill: wait for its end, and give what the page says of it."""
        status = self.page.get_by_text("Status", exact=True).locator("xpath=following-sibling::*")
        return _ended(status.get_by_text(_words("Succeeded", "Failed", "Canceled")))

    def press(self, words: str) -> None:
        """Press the button with just these words, whatever the name of its icon."""
        self.page.get_by_role("button").filter(has_text=re.compile(rf"^{words}$")).click()

    def unfold_groups(self) -> list[str]:
        """Unfold each group in the list beside the graph; gives groups and assets as listed."""
        entries = self.page.locator("[class*=AssetSidebarNode_itemContainer]")
        expect(entries.first).to_be_visible()
        for group in _titles(entries):
            row = entries.filter(has=self.page.locator(f"[title={group}]"))
            row.get_by_role("img", name="arrow_drop_down").click()
        return _titles(entries)

    def unfold_graph(self) -> None:
        """Unfold the groups of the graph itself, by the menu of its background."""
        graph = self.page.locator("svg:has(foreignObject)").first
        graph.click(button="right", position={"x": 20, "y": 20})
        self.page.get_by_role("menuitem", name="Expand all groups").click()

    def description_of(self, name: str) -> str:
        """The words behind the "i" beside a schedule or sensor."""
        entry = self.page.get_by_role("link").filter(has_text=name)
        entry.get_by_label("info").hover()
        tip = self.page.get_by_role("tooltip")
        expect(tip).to_be_visible()
        return tip.inner_text()


def _titles(entries: Locator) -> list[str]:
    return [str(title.get_attribute("title")) for title in entries.locator("[title]").all()]


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"^({'|'.join(words)})$")


def _ended(outcome: Locator) -> str:
    expect(outcome.first).to_be_visible(timeout=RUN_SECONDS * 1000)
    return outcome.first.inner_text()
