"""Settings that point the pipeline at a sandbox on this machine instead of the real portal."""

from pathlib import Path

from pf_pipeline.commands.webhook_settings import webhook_secret
from pf_pipeline.sandbox import SandboxOptions, is_callback
from pf_pipeline.settings import Settings, SettingsError, load_settings

SANDBOX_PORT = 8640
"""Where ``pf-pipeline sandbox`` listens unless told otherwise, and where the links in make-believe
leads point, so that recordings can be played whenever it runs."""
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
EMPTY = {"PF_CRM_URL": ""}
"""What an empty variable stands for, where that is not that nothing is set."""
UNHURRIED = 60_000
"""Requests a minute: nobody else waits for a sandbox on this machine."""
REFERENCE = Path(__file__).parents[2] / "data" / "reference"


def subscribed_from_the_beginning(url: str | None) -> str | None:
    """The secret of a sandbox that posts to an address as soon as it runs; None does not sign.

    It comes from the settings and not from an option: every user of a machine sees the arguments of
    its processes.

    Raises:
        SettingsError: The address or the secret cannot be used.
    """
    if url is None:
        return None
    if not is_callback(url):
        raise SettingsError(
            "--webhook must be http:// and on this machine, such as "
            "http://127.0.0.1:8650/webhooks/property-finder: a sandbox calls nobody else."
        )
    return webhook_secret(load_settings())


def sandbox_environment(base_url: str, options: SandboxOptions) -> dict[str, str]:
    """The ``PF_*`` variables for a sandbox, with the reference data that fits its leads."""
    return {
        "PF_API_BASE_URL": base_url,
        "PF_API_KEY": options.api_key,
        "PF_API_SECRET": options.api_secret,
        "PF_API_TOKEN": "",
        "PF_CRM_URL": "",  # make-believe leads go to the data folder's own CRM, never to another
        "PF_PROPERTIES": str(REFERENCE / "properties.csv"),
        "PF_AGENTS": str(REFERENCE / "agents.csv"),
        "PF_REQUESTS_PER_MINUTE": str(UNHURRIED),
    }


def sandbox_settings(base_url: str, options: SandboxOptions) -> Settings:
    """The user's settings, pointed at a sandbox.

    Raises:
        SettingsError: Some other setting is wrong.
    """
    if not REFERENCE.is_dir():
        raise SettingsError(f"The sandbox's reference data is missing: no folder {REFERENCE}.")
    overrides = {
        name.removeprefix("PF_").lower(): value or EMPTY.get(name)
        for name, value in sandbox_environment(base_url, options).items()
    }
    return load_settings(**overrides)
