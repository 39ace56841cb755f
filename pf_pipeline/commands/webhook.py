"""``pf-pipeline webhook``: the receiver, with the CRM behind it and Dagster told of it."""

from threading import Thread

from rich.console import Console

from pf_pipeline.commands.reference_data import bring_reference_data
from pf_pipeline.crm import CrmError, ReferenceDataError
from pf_pipeline.orchestration.webhook_reports import Reporter
from pf_pipeline.receiver import (
    WEBHOOK_PATH,
    address_of,
    listening,
    secrets,
    serve,
    write_logs,
)
from pf_pipeline.receiver.logs import fields, log
from pf_pipeline.settings import Settings, SettingsError, load_settings

LAST_REPORT_SECONDS = 5.0


def _bring_reference_data(settings: Settings) -> None:
    """Bring properties and agents, so that the first leads find their agents; leads come first."""
    try:
        bring_reference_data(settings)
    except (SettingsError, ReferenceDataError, CrmError) as error:
        log.warning(
            "leads are assigned by the properties and agents that the CRM holds",
            extra=fields(reason=str(error)),
        )


def run_webhook(console: Console, *, host: str, port: int) -> bool:
    """Receive webhook deliveries until a signal comes.

    Args:
        console: Where to say where it listens.
        host: The address to listen on.
        port: The port to listen on.

    Returns:
        Whether the last batch came into the CRM; if not, it does at the next start.

    Raises:
        ReceiverError: The port is taken.
        SettingsError: The settings are wrong, or there is no secret.
    """
    settings = load_settings()
    secrets(settings)
    reporter = Reporter(settings.data_dir)
    with listening(host, port) as listener:
        write_logs()
        reporter.start()
        Thread(target=_bring_reference_data, args=[settings], daemon=True).start()
        console.print(
            f"The webhook receiver listens at {address_of(listener)}{WEBHOOK_PATH} "
            "(Ctrl-C stops it).",
            highlight=False,
            soft_wrap=True,
        )
        ended = serve(settings, listener, reporter.note)
        reporter.stop(LAST_REPORT_SECONDS)
    return ended
