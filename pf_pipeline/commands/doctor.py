"""``pf-pipeline doctor``: looks at everything a run needs, one line each."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from pf_pipeline.commands.webhook_settings import shown
from pf_pipeline.crm import CrmError, ReferenceDataError
from pf_pipeline.crm.connection import database_path
from pf_pipeline.crm.reference_data import KEEP_CRM_TABLES, read_agents, read_properties
from pf_pipeline.orchestration.origin import check_origin, check_own_file
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.portal import LEAD_EVENTS, PortalError, Subscriptions
from pf_pipeline.settings import Settings, SettingsError, load_settings

ENOUGH_DISK_BYTES = 1_000_000_000
PROBLEMS = (SettingsError, ReferenceDataError, PortalError, CrmError, OSError)


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        subject: What was looked at.
        healthy: Whether a run can rely on it.
        words: What was found, or what is wrong and what to do.
        note: Whether there is something that a person may want to know although all is well.
    """

    subject: str
    healthy: bool
    words: str
    note: bool = False


def run_doctor(console: Console) -> bool:
    """Print one line a finding; says whether everything is well."""
    healthy = True
    for finding in examine():
        mark = "[green]ok     [/]" if finding.healthy else "[red]problem[/]"
        mark = "[yellow]note   [/]" if finding.note else mark
        console.print(f"{mark} [bold]{finding.subject:<11}[/] ", end="")
        console.print(finding.words, markup=False, highlight=False, soft_wrap=True)
        healthy &= finding.healthy
    return healthy


def examine() -> Iterator[Finding]:
    """Look at everything in turn; without settings there is nothing further to look at."""
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding("settings", healthy=False, words=str(error))
        return
    yield Finding("settings", healthy=True, words=_settings(settings))
    looks: list[tuple[str, Callable[[Settings], str]]] = [
        ("properties", _properties),
        ("agents", _agents),
        ("data folder", _data_folder),
        ("token", _token),
        ("portal", _portal),
        ("CRM", _crm),
    ]
    for subject, look in looks:
        try:
            yield Finding(subject, healthy=True, words=look(settings))
        except PROBLEMS as error:
            yield Finding(subject, healthy=False, words=str(error))
    yield _webhooks(settings)


def _settings(settings: Settings) -> str:
    return (
        f"portal {settings.api_base_url}, dialect {settings.api_dialect}, data in "
        f"{settings.data_dir}, shown in {settings.display_timezone}"
    )


def _properties(settings: Settings) -> str:
    if settings.properties == KEEP_CRM_TABLES:
        return "kept as the CRM table holds them"
    frame = read_properties(Path(settings.properties))
    check_own_file(settings, "PF_PROPERTIES", settings.properties)
    owned = frame["agent_id"].notna().sum()
    return f"{len(frame):,} listings in {settings.properties}, {owned:,} with an agent"


def _agents(settings: Settings) -> str:
    if settings.agents == KEEP_CRM_TABLES:
        return "kept as the CRM table holds them"
    frame = read_agents(Path(settings.agents))
    check_own_file(settings, "PF_AGENTS", settings.agents)
    mapped = (frame["portal_user_id"].notna() | frame["portal_profile_id"].notna()).sum()
    return (
        f"{len(frame):,} people in {settings.agents}, {frame['active'].sum():,} active, "
        f"{mapped:,} mapped to the portal"
    )


def _data_folder(settings: Settings) -> str:
    check_origin(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    probe = settings.data_dir / ".writable"
    probe.write_bytes(b"")
    probe.unlink()
    free = shutil.disk_usage(settings.data_dir).free
    if free < ENOUGH_DISK_BYTES:
        raise OSError(f"Only {free / 1e6:,.0f} MB are free under {settings.data_dir}.")
    return f"{settings.data_dir.absolute()} can be written, {free / 1e9:,.0f} GB free"


def _token(settings: Settings) -> str:
    with Pipeline(_impatient(settings)).portal() as portal:
        portal.sign_in()
    if settings.api_token:
        return "a ready token is set; whether it is accepted shows below"
    return "minted from key and secret"


def _portal(settings: Settings) -> str:
    now = datetime.now(UTC)
    with Pipeline(_impatient(settings)).portal() as portal:
        page = portal.page(1, now - timedelta(days=1), now)
    answered = page.pagination.dialect
    if answered is not None and answered != settings.api_dialect:
        raise SettingsError(
            f"{settings.api_base_url} answers in the {answered} dialect, but PF_API_DIALECT is "
            f"{settings.api_dialect}: no lead is lost, but set it to {answered}."
        )
    total = "" if page.pagination.total is None else f", {page.pagination.total:,} leads in a day"
    return f"{settings.api_base_url} answers, dialect {answered or settings.api_dialect}{total}"


def _crm(settings: Settings) -> str:
    path = database_path(settings.crm_location)
    if not path.exists():
        return f"{path} is not there yet: the first run makes it"
    with Pipeline(settings).crm() as crm:
        leads = crm.query("SELECT count(*) AS leads FROM crm.leads")["leads"].iloc[0]
    return f"{path} opens, {leads:,} leads"


def _webhooks(settings: Settings) -> Finding:
    """Who is told of leads; a portal that does not say so is no problem, because polls bring all.

    Whatever is wrong with the portal as a whole, its own line says.
    """
    try:
        with Pipeline(_impatient(settings)).portal() as portal:
            listed = Subscriptions(portal).listed()
    except PROBLEMS as error:
        words = f"it is not known who is subscribed: {error}"
        return Finding("webhooks", healthy=True, words=words, note=True)
    events: dict[str, list[str]] = {}
    for one in listed:
        if one.lead_event is not None:
            events.setdefault(shown(one.url), []).append(one.lead_event)
    if not events:
        words = "nobody is subscribed to leads: they come by polls only (pf-pipeline subscribe)"
        return Finding("webhooks", healthy=True, words=words, note=True)
    lacking = {url: [one for one in LEAD_EVENTS if one not in told] for url, told in events.items()}
    words = "; ".join(
        f"{url} is told of {', '.join(told)}"
        + (f", but not of {', '.join(lacking[url])}" if lacking[url] else "")
        for url, told in events.items()
    )
    return Finding("webhooks", healthy=True, words=words, note=any(lacking.values()))


def _impatient(settings: Settings) -> Settings:
    """A person waits: one try, and not for long."""
    return settings.model_copy(update={"request_attempts": 1, "request_timeout_seconds": 10.0})
