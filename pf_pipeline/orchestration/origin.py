"""Keeps make-believe and real apart: leads in one data folder, and leads and their agents."""

from pathlib import Path

from pf_pipeline.archive.files import write_atomically
from pf_pipeline.sandbox import is_sandbox_data
from pf_pipeline.settings import Settings, SettingsError, is_loopback

ORIGIN_FILE = "portal_address.txt"


def check_origin(settings: Settings) -> None:
    """Refuse to mix make-believe and real leads.

    Raises:
        SettingsError: The folder holds leads of a sandbox and the portal is real, or the other
            way round.
    """
    path = settings.data_dir / ORIGIN_FILE
    if not path.exists():
        return
    known = path.read_text(encoding="utf-8").strip()
    if is_loopback(known) and not settings.portal_is_local:
        raise SettingsError(
            f"The data folder {settings.data_dir} holds make-believe leads of a sandbox: set "
            "PF_DATA_DIR to a new folder for the real portal."
        )
    if not is_loopback(known) and settings.portal_is_local:
        raise SettingsError(
            f"The data folder {settings.data_dir} holds leads of {known}: set PF_DATA_DIR to "
            "another folder for a sandbox."
        )


def check_own_people(settings: Settings) -> None:
    """Refuse to give real leads to the sandbox's make-believe people.

    Raises:
        SettingsError: The portal is real, and the properties or the agents are the sandbox's.
    """
    check_own_file(settings, "PF_PROPERTIES", settings.properties)
    check_own_file(settings, "PF_AGENTS", settings.agents)


def check_own_file(settings: Settings, setting: str, source: str) -> None:
    """As :func:`check_own_people`, for the file that one setting names."""
    if not settings.portal_is_local and is_sandbox_data(Path(source)):
        raise SettingsError(
            f"The file {source} ({setting}) holds the sandbox's make-believe data, which would "
            f"decide who gets real leads: set {setting} to your own file, or to 'crm'."
        )


def note_origin(settings: Settings) -> None:
    """Note, when the first leads come in, which portal a data folder is filled from."""
    path = settings.data_dir / ORIGIN_FILE
    if not path.exists():
        write_atomically(path, f"{settings.api_base_url}\n".encode())
