"""Making the CRM anew from the raw archive and the reference data alone. No Dagster here.

The new CRM grows beside the old one, which everybody goes on using. Only at the end, under the old
one's lock, what came in meanwhile is loaded, people's decisions are carried over, and the new file
takes the old one's place. Killed at any instant, the old CRM is untouched or the new one is whole.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd
from filelock import FileLock, Timeout

from pf_pipeline.archive.files import flush_folder, make_folder
from pf_pipeline.archive.inbox import Inbox
from pf_pipeline.archive.snapshots import STAMP, RawSnapshots
from pf_pipeline.crm import CrmDamagedError
from pf_pipeline.crm.connection import database_path, held
from pf_pipeline.crm.reference_data import KEEP_CRM_TABLES
from pf_pipeline.crm.replacing import (
    TableDifference,
    beside,
    carry_over,
    differences,
    own_additions,
    put_aside,
    put_in_place,
    take_over_reference_tables,
)
from pf_pipeline.leads.observing import Observed
from pf_pipeline.orchestration.accounts import last_arrival
from pf_pipeline.orchestration.origin import check_own_people
from pf_pipeline.orchestration.pipeline import LEADS_AT_ONCE, Pipeline
from pf_pipeline.orchestration.portal_directory import LISTINGS, USERS, Directory

FOLDER_PREFIX = ".rebuild-"
MOST_ROUNDS = 5
"""How often days that gained something are loaded again before others have to wait for it."""

OnDay = Callable[[date, int], None]
"""Told of each day that is loaded, and of how many there are."""


class RebuildError(Exception):
    """The CRM cannot be made anew; the message is one sentence."""


@dataclass(frozen=True)
class Rebuilt:
    """How a rebuild ended.

    Attributes:
        differences: How the new CRM differs from the old one, by table; empty without an old one.
        leads: Leads in the new CRM.
        carried: Leads that keep the old CRM's decision about their agent.
        in_place: Whether the new CRM took the old one's place.
        put_aside: Where an old CRM stands now that could not be opened.
        damage: Why it could not be opened.
    """

    differences: list[TableDifference]
    leads: int
    carried: int
    in_place: bool
    put_aside: Path | None = None
    damage: str | None = None


def rebuild(
    pipeline: Pipeline,
    *,
    dry_run: bool = False,
    assign_anew: bool = False,
    on_day: OnDay = lambda _day, _days: None,
) -> Rebuilt:
    """Make the CRM anew, compare it with the old one, and put it in its place.

    Args:
        pipeline: Over the archive, the reference data and the old CRM.
        dry_run: Only compare; the old CRM stays.
        assign_anew: Let the rules decide again for every lead but those that a person gave away.
        on_day: Told how it gets on.

    Raises:
        RebuildError: Another rebuild is at work, or a file of the archive is damaged.
        CrmError: The CRM is busy for too long.
        ReferenceDataError: The properties or agents cannot be read.
        SettingsError: They are the sandbox's, and the portal is real.
    """
    check_own_people(pipeline.settings)
    path = database_path(pipeline.settings.crm_location).resolve()
    damage = _damage_of(pipeline, path)
    in_crm = KEEP_CRM_TABLES in (pipeline.settings.properties, pipeline.settings.agents)
    if in_crm and (damage or not path.exists()):
        raise RebuildError(
            f"Properties or agents are kept in the CRM {path} alone, which is not there or is "
            "damaged: set PF_PROPERTIES and PF_AGENTS to files."
        )
    with _own_folder(path) as folder:
        new = _NewCrm(pipeline, folder / path.name, path, damage, on_day)
        new.bring_portal_directory()
        with held(path, pipeline.settings.lock_timeout_seconds):
            new.bring_reference_data()
        for _ in range(MOST_ROUNDS):
            if not new.load_what_is_missing():
                break
        with held(path, pipeline.settings.lock_timeout_seconds):
            new.load_the_rest()
            new.bring_reference_data()
            return _finish(new, dry_run=dry_run, assign_anew=assign_anew)


def _finish(new: "_NewCrm", *, dry_run: bool, assign_anew: bool) -> Rebuilt:
    found: list[TableDifference] = []
    carried, aside = 0, None
    if new.has_old:
        with new.beside_old() as connection:
            carried = carry_over(connection, assign_anew=assign_anew)
            found = differences(connection)
    leads = new.leads()
    if not dry_run:
        if new.damage is not None:
            aside = put_aside(new.old, f"{new.pipeline.now().astimezone(UTC):{STAMP}}")
        put_in_place(new.path, new.old)
        flush_folder(new.old.parent)
    return Rebuilt(found, leads, carried, not dry_run, aside, new.damage)


@dataclass
class _NewCrm:
    """The CRM that grows beside the old one.

    Attributes:
        pipeline: The steps, over the new CRM.
        path: The new file.
        old: The old one, which need not stand.
        damage: Why the old one cannot be opened, if it cannot.
        on_day: Told of each day.
        loaded: Which sources of each day it has.
    """

    pipeline: Pipeline
    path: Path
    old: Path
    damage: str | None
    on_day: OnDay
    loaded: dict[date, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.pipeline.settings.model_copy(update={"crm_url": f"duckdb:///{self.path}"})
        self.pipeline = replace(self.pipeline, settings=settings)

    def bring_portal_directory(self) -> None:
        """Bring the portal's own users and listings, as they were read last.

        Raises:
            RebuildError: The snapshot of one of them is damaged.
        """
        data_dir = self.pipeline.settings.data_dir
        with self.pipeline.crm() as crm:
            for directory in (USERS, LISTINGS):
                records = _latest_records(data_dir, directory)
                if records:
                    directory.replace(crm, directory.read(records))

    def bring_reference_data(self) -> None:
        """Bring properties and agents from where the settings say; once more takes what changed.

        Only while the old CRM's lock is held.

        Raises:
            RebuildError: People keep tables or columns of their own in the old CRM.
        """
        settings = self.pipeline.settings
        if self.has_old:
            with self.beside_old() as connection:
                additions = own_additions(connection)
                if additions:
                    raise RebuildError(
                        f"The CRM {self.old} holds what a rebuild would lose "
                        f"({', '.join(additions)}): move it to another file first."
                    )
                take_over_reference_tables(
                    connection,
                    properties=settings.properties == KEEP_CRM_TABLES,
                    agents=settings.agents == KEEP_CRM_TABLES,
                )
        self.pipeline.refresh_properties()
        self.pipeline.refresh_agents()

    @property
    def has_old(self) -> bool:
        """Whether there is an old CRM that can be read."""
        return self.damage is None and self.old.exists()

    def beside_old(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The new CRM with the old one attached; only while the old one's lock is held."""
        return beside(self.path, self.old, self.pipeline.settings.lock_timeout_seconds)

    def load_what_is_missing(self) -> bool:
        """Load the days of which the archive has more; says whether there were any.

        Raises:
            RebuildError: A file of the archive is damaged.
        """
        try:
            return self._load_what_is_missing()
        except ValueError as error:
            raise RebuildError(f"{error} The old CRM stays as it is.") from error

    def _load_what_is_missing(self) -> bool:
        self.pipeline.archive_deliveries()
        archive = self.pipeline.archive
        missing = {}
        for day in archive.days():
            sources = archive.sources(day)
            if sources - self.loaded.get(day, frozenset()):
                missing[day] = sources
        batch: list[tuple[date, Observed]] = []
        for day, sources in missing.items():
            batch.append((day, self.pipeline.observe_day(day, sources)))
            if sum(len(observed.observations) for _, observed in batch) >= LEADS_AT_ONCE:
                self._load(batch, missing)
                batch = []
        if batch:
            self._load(batch, missing)
        self.loaded |= missing
        return bool(missing)

    def _load(
        self, batch: Sequence[tuple[date, Observed]], sources: dict[date, frozenset[str]]
    ) -> None:
        arrivals = {day: last_arrival(self.pipeline.archive, day, sources[day]) for day, _ in batch}
        observations = pd.concat([observed.observations for _, observed in batch])
        with self.pipeline.crm() as crm:
            crm.load_leads(
                observations,
                pd.concat([observed.rejected for _, observed in batch]),
                days=[day.isoformat() for day, _ in batch],
                deliveries_until={
                    day.isoformat(): arrival for day, arrival in arrivals.items() if arrival
                },
            )
            crm.load_call_recordings(observations["lead_id"])
        for day, _ in batch:
            self.on_day(day, len(sources))

    def load_the_rest(self) -> None:
        """Load what came last, and note how far the inbox is loaded by that.

        Only while the old CRM's lock is held: nobody else loads anything.
        """
        with closing(Inbox(self.pipeline.settings.data_dir)) as inbox:
            inbox_id, number = inbox.inbox_id, inbox.last_number
        self.load_what_is_missing()
        if inbox_id:
            with self.pipeline.crm() as crm:
                crm.move_webhook_cursor(inbox_id, number)

    def leads(self) -> int:
        """How many leads it has."""
        with self.pipeline.crm() as crm:
            return int(crm.query("SELECT count(*) AS leads FROM crm.leads")["leads"].iloc[0])


def _latest_records(data_dir: Path, directory: Directory) -> list[object]:
    """What the latest snapshot of one of the portal's lists holds.

    Raises:
        RebuildError: It is damaged.
    """
    try:
        bodies = RawSnapshots(data_dir, directory.name).latest() or []
        pages = [json.loads(body)[directory.records_under] for body in bodies]
    except (OSError, EOFError, ValueError, LookupError) as error:
        raise RebuildError(
            f"The latest snapshot of {directory.name} in {data_dir} cannot be read: {error}."
        ) from error
    return [record for page in pages for record in page]


def _damage_of(pipeline: Pipeline, path: Path) -> str | None:
    """Why the old CRM cannot be opened; None if it can, or is not there.

    Raises:
        CrmError: It cannot be opened for another reason: it is busy, or may not be read.
    """
    if not path.exists():
        return None
    try:
        with pipeline.crm():
            return None
    except CrmDamagedError as error:
        return str(error)


@contextmanager
def _own_folder(path: Path) -> Iterator[Path]:
    """A folder beside the CRM, on the same file system; what dead rebuilds left is removed.

    Raises:
        RebuildError: Another rebuild is at work.
    """
    make_folder(path.parent)
    lock = FileLock(path.with_name(f".{path.name}.rebuild.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RebuildError(
            f"Another rebuild of {path} is at work: wait until it has ended."
        ) from None
    try:
        prefix = f"{FOLDER_PREFIX}{path.name}-"
        for left in path.parent.iterdir():
            if left.name.startswith(prefix):
                shutil.rmtree(left)
        folder = path.with_name(f"{prefix}{datetime.now(UTC):{STAMP}}")
        make_folder(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()
