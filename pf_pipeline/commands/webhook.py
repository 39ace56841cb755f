"""``pf-pipeline webhook``: the receiver, with the CRM behind it."""

from functools import partial

from rich.console import Console

from pf_pipeline.receiver import address_of, listening, secrets, serve, write_logs
from pf_pipeline.settings import load_settings


def run_webhook(console: Console, *, host: str, port: int) -> bool:
    """Receive webhook deliveries until a signal comes.

    Args:
        console: Where to say where it listens.
        host: The address to listen on.
        port: The port to listen on.

    Returns:
        Whether everything stored was left in order, the last batch in the CRM included.

    Raises:
        ReceiverError: The port is taken.
        SettingsError: The settings are wrong, or there is no secret.
    """
    settings = load_settings()
    secrets(settings)  # nothing listens without
    with listening(host, port) as listener:
        write_logs()
        console.print(
            f"The webhook receiver listens at {address_of(listener)}{WEBHOOK_PATH} (Ctrl-C stops it).",
            highlight=False,
            soft_wrap=True,
        )
        return serve(settings, listener, load=..., cursor=...)
