"""What subscribing needs of a person: the receiver's address, and the secret that signs."""

from urllib.parse import urlsplit

from pf_pipeline.settings import Settings, SettingsError, is_loopback

LONGEST_SECRET = 32
"""Characters of a secret that the portal takes (contract, webhooks)."""
EXAMPLE = "https://crm.example.com/webhooks/property-finder"


def checked_url(url: str | None) -> str:
    """An address that the portal may post leads to.

    Raises:
        SettingsError: It is none.
    """
    address = given_url(url)
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"--url is no address: write one such as {EXAMPLE}.")
    if parts.scheme == "http" and not is_loopback(address):
        raise SettingsError("--url must use https, or leads would travel in the clear.")
    return address


def given_url(url: str | None) -> str:
    """An address, whatever it is.

    Raises:
        SettingsError: There is none.
    """
    if url is None:
        raise SettingsError(f"--url is missing: give the receiver's address, such as {EXAMPLE}.")
    return url


def webhook_secret(settings: Settings) -> str | None:
    """The secret that signs deliveries, if there is one.

    Raises:
        SettingsError: The portal would not take it.
    """
    if settings.webhook_secret is None:
        return None
    secret = settings.webhook_secret.get_secret_value()
    if len(secret) > LONGEST_SECRET:
        raise SettingsError(
            f"The setting PF_WEBHOOK_SECRET has {len(secret)} characters, and the portal takes at "
            f"most {LONGEST_SECRET}: choose a shorter one."
        )
    return secret


def shown(url: str) -> str:
    """An address without the user, password and query that it may hold."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
