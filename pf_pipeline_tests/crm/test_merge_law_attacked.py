"""The merge law, attacked: polls and deliveries in any order, batches, repetitions and crashes.

A machine of states receives, loads and crashes as it likes. In the end the CRM must hold what one
load of everything leaves in an empty one, and the same once more if all is loaded again.

``PF_ATTACKS=1000`` tries so many histories instead of the few that the suite has time for, and
makes the first that breaks the law as short as it can.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import duckdb
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pf_pipeline.crm.statements import deliveries as delivery_statements
from pf_pipeline.crm.statements import rejects
from pf_pipeline.leads.deliveries import Delivery, delivery_id, sightings_of
from pf_pipeline.leads.observing import Observed, Sighting, observe
from pf_pipeline_tests.crm.builders import (
    AGENTS,
    DAY,
    LINAS_USER,
    NOON,
    PROPERTIES,
    UNKNOWN_USER,
    CrmFile,
    Record,
    Row,
    after,
    rows_of,
)
from pf_pipeline_tests.crm.test_any_order import Sight, sights

INBOX = "inbox"
HISTORIES = int(os.environ.get("PF_ATTACKS", "12"))
SHRINK = [Phase.shrink] if "PF_ATTACKS" in os.environ else []
"""In the suite the history that broke the law is shown as it is: shrinking takes minutes."""
TABLES = {
    "crm.leads": "TRUE",
    "crm.call_recordings": "TRUE",
    "crm.lead_events": "TRUE",
    "crm.rejected_leads": "TRUE",
    "pipeline.lead_observations": "TRUE",
    # A row without an agent says the same as none.
    "pipeline.given_agents": "agent_id IS NOT NULL",
}
PROFILES = {LINAS_USER: 77003, UNKNOWN_USER: 99999}
"""The public profiles of these users: events name agents by those."""
NO_LEADS = (b"no JSON", b"[]", b'{"id": "evt", "entity": {}}', b'{"id": "lead_1"}', b"[7, null]")
CREATED = "2025-12-19T10:30:00Z"
EVENT_TYPES = ("lead.created", "lead.updated", "lead.assigned")
BROKEN_RECORDS: tuple[Record, ...] = ({"id": "lead_1"}, {"createdAt": "2025-12-19T10:30:00Z"})


@dataclass(frozen=True)
class Told:
    """A sight of a lead, with what only the atlas dialect tells of it."""

    sight: Sight
    talk_seconds: int | None = None
    tags: tuple[str, ...] | None = None
    enriched: str | None = None

    @property
    def by_atlas(self) -> Record:
        """As the contract's polls and payloads have it."""
        sight = self.sight
        record: Record = {
            "channel": "call",
            "status": sight.status,
            "sender": {"name": sight.name, "contacts": [{"type": "phone", "value": "0501234567"}]},
            "listing": {"id": sight.listing, "reference": sight.reference},
            "publicProfile": {"id": PROFILES[sight.user]} if sight.user else None,
            "call": {"talkTime": self.talk_seconds, "recordFile": sight.recording},
        }
        if self.tags is not None:
            record["tags"] = [*self.tags]
        if self.enriched is not None:
            record["enrichment"] = {"budget": self.enriched}
        return record

    @property
    def by_poll(self) -> Record:
        return {"id": self.sight.lead_id, "createdAt": CREATED} | self.by_atlas


tellings = st.builds(
    Told,
    sights,
    talk_seconds=st.sampled_from([None, 0, 61]),
    tags=st.sampled_from([None, (), ("hot",)]),
    enriched=st.sampled_from([None, "1m", "2m"]),
)


def event_of(told: Told, type_: str, number: int, *, created: bool) -> bytes:
    """What the contract's webhook says of a lead, often without the instant of its creation."""
    event = {
        "id": f"evt_{number}",
        "type": type_,
        "timestamp": after(told.sight.minute).isoformat(),
        "entity": {"id": told.sight.lead_id, "type": "lead"},
        "payload": told.by_atlas | ({"createdAt": CREATED} if created else {}),
    }
    return json.dumps(event).encode()


def observed(polls: Sequence[Sighting], deliveries: Sequence[Delivery]) -> Observed:
    polled = observe(polls, partition_key=DAY, country="AE")
    delivered = observe(sightings_of(deliveries), partition_key=DAY, country="AE", by="webhook")
    return polled.with_others(delivered)


def tables_of(crm: CrmFile) -> dict[str, list[Row]]:
    with crm.open() as warehouse:
        return {
            table: rows_of(warehouse.query(f"SELECT * FROM {table} WHERE {which} ORDER BY ALL"))
            for table, which in TABLES.items()
        }


class Attack(RuleBasedStateMachine):
    """A brokerage whose leads come in every way at once, on a machine that crashes."""

    empty: CrmFile

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.polls: list[Sighting] = []
        self.inbox: list[Delivery] = []
        self.polls_loaded = 0
        """So many polls are in the CRM, with their recordings."""
        self.now = NOON

    @initialize()
    def begin(self) -> None:
        self.crm = self.another_crm("crm")

    def another_crm(self, name: str) -> CrmFile:
        """An empty CRM with the same listings and people."""
        folder = Path(self.folder.name) / name
        folder.mkdir()
        return CrmFile(Path(shutil.copy(self.empty.path, folder)))

    # ---- receiving

    @rule(seen=st.lists(sights, min_size=1, max_size=3), minute=st.integers(0, 9))
    def poll(self, seen: list[Sight], minute: int) -> None:
        records: list[object] = [
            Sight(**vars(sight) | {"by": "poll", "minute": 0}).record for sight in seen
        ]
        self.polls.append(Sighting(records, after(minute), after(minute), 1))

    @rule(told=st.lists(tellings, min_size=1, max_size=3), minute=st.integers(0, 9))
    def poll_in_the_atlas_dialect(self, told: list[Told], minute: int) -> None:
        records: list[object] = [one.by_poll for one in told]
        self.polls.append(Sighting(records, after(minute), after(minute), 1))

    @precondition(lambda self: self.polls)
    @rule(number=st.integers(0, 20), minute=st.integers(0, 9))
    def poll_the_same_again(self, number: int, minute: int) -> None:
        records = self.polls[number % len(self.polls)].records
        self.polls.append(Sighting(records, after(minute), after(minute), 1))

    @rule(record=st.sampled_from(BROKEN_RECORDS), minute=st.integers(0, 9))
    def poll_a_broken_record(self, record: Record, minute: int) -> None:
        self.polls.append(Sighting([record], after(minute), after(minute), 1))

    @rule(
        told=tellings,
        type_=st.sampled_from(EVENT_TYPES),
        created=st.booleans(),
        delay=st.integers(0, 3),
    )
    def receive_an_event(self, told: Told, type_: str, *, created: bool, delay: int) -> None:
        body = event_of(told, type_, len(self.inbox), created=created)
        self.receive(body, after(told.sight.minute + delay))

    @precondition(lambda self: self.inbox)
    @rule(number=st.integers(0, 20))
    def receive_the_same_again(self, number: int) -> None:
        before = len(self.inbox)
        self.receive(self.inbox[number % before].body, self.now)
        assert len(self.inbox) == before

    @rule(sight=sights, delay=st.integers(0, 3))
    def receive_a_guides_lead(self, sight: Sight, delay: int) -> None:
        body = json.dumps(Sight(**vars(sight) | {"by": "poll"}).record).encode()
        self.receive(body, after(sight.minute + delay))

    @rule(body=st.sampled_from(NO_LEADS))
    def receive_what_is_no_lead(self, body: bytes) -> None:
        self.receive(body, self.now)

    def receive(self, body: bytes, at: datetime) -> None:
        """Store a delivery, unless it is a repetition."""
        self.now = max(self.now, at) + timedelta(seconds=1)
        name = delivery_id(body)
        if all(known.delivery_id != name for known in self.inbox):
            self.inbox.append(Delivery(len(self.inbox) + 1, name, self.now, body))

    # ---- loading

    @precondition(lambda self: self.inbox)
    @rule(size=st.integers(1, 4))
    def load_the_next_deliveries(self, size: int) -> None:
        with self.crm.open() as warehouse:
            cursor = warehouse.webhook_cursor(INBOX)
        self.load_batch(self.inbox[cursor : cursor + size])

    @precondition(lambda self: self.inbox)
    @rule(start=st.integers(0, 20), size=st.integers(1, 4))
    def load_some_deliveries_once_more(self, start: int, size: int) -> None:
        with self.crm.open() as warehouse:
            cursor = warehouse.webhook_cursor(INBOX)
        self.load_batch(self.inbox[: min(cursor, start + size)][start:])

    def load_batch(self, batch: Sequence[Delivery]) -> None:
        if not batch:
            return
        found = observed([], batch)
        with self.crm.open() as warehouse:
            warehouse.load_deliveries(
                found.observations, found.rejected, inbox_id=INBOX, number=batch[-1].number
            )

    @rule()
    def run_the_day(self) -> None:
        self.load_day(self.crm)
        self.polls_loaded = len(self.polls)

    def load_day(self, crm: CrmFile) -> None:
        """What the day's run does with all that was received so far."""
        found = self.load_leads_of_the_day(crm)
        with crm.open() as warehouse:
            warehouse.load_call_recordings(found.observations["lead_id"])

    def load_leads_of_the_day(self, crm: CrmFile) -> Observed:
        found = observed(self.polls, self.inbox)
        until = {DAY: self.inbox[-1].received_at} if self.inbox else {}
        with crm.open() as warehouse:
            warehouse.load_leads(
                found.observations, found.rejected, days=[DAY], deliveries_until=until
            )
        return found

    # ---- crashing

    @precondition(lambda self: self.inbox)
    @rule(size=st.integers(1, 4))
    def crash_while_deliveries_are_loaded(self, size: int) -> None:
        with mock.patch.object(delivery_statements, "MOVE_CURSOR", "SELECT power_cut"):
            self.crash(lambda: self.load_the_next_deliveries(size))

    @rule()
    def crash_between_leads_and_recordings(self) -> None:
        """The day's run is repeated after that: nothing says that it succeeded."""
        self.load_leads_of_the_day(self.crm)
        self.polls_loaded = -1

    @precondition(lambda self: self.polls)
    @rule()
    def crash_while_the_day_is_loaded(self) -> None:
        with mock.patch.object(rejects, "ADD_NEW_REJECTS", "SELECT power_cut"):
            self.crash(self.run_the_day)

    def crash(self, load: Callable[[], None]) -> None:
        before = tables_of(self.crm)
        with self.crm.open() as warehouse:
            cursor = warehouse.webhook_cursor(INBOX)
        if cursor < len(self.inbox) or self.polls:
            try:
                load()
            except duckdb.BinderException:
                pass
            else:
                assert cursor == len(self.inbox), "it should have crashed"
        assert tables_of(self.crm) == before
        with self.crm.open() as warehouse:
            assert warehouse.webhook_cursor(INBOX) == cursor

    # ---- what must hold

    def teardown(self) -> None:
        """The end is the same for every history that received the same."""
        if hasattr(self, "crm"):
            expected = self.another_crm("expected")
            self.load_day(expected)
            if self.polls_loaded < len(self.polls):
                self.load_day(self.crm)
            for delivery in reversed(self.inbox):  # the whole of it is never the last load
                self.load_batch([delivery])
            assert tables_of(self.crm) == tables_of(expected)
            self.load_day(self.crm)
            assert tables_of(self.crm) == tables_of(expected)
        self.folder.cleanup()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> CrmFile:
    crm = CrmFile(tmp_path_factory.mktemp("empty") / "crm.duckdb")
    crm.refresh(properties=PROPERTIES, agents=AGENTS)
    return crm


def test_no_history_leaves_other_rows(empty: CrmFile) -> None:
    Attack.empty = empty
    case = Attack.TestCase
    case.settings = settings(
        max_examples=HISTORIES,
        stateful_step_count=14,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *SHRINK],
    )
    case().runTest()
