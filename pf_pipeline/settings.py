"""Every ``PF_*`` setting, read in one place from the environment or ``.env``.

Nothing is read at import: call :func:`load_settings`. The environment wins over ``.env``.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Dialect = Literal["guide", "atlas"]

PORTAL_REQUESTS_PER_MINUTE = 650
"""The portal's documented limit for everything but tokens (contract, rate limits)."""


def is_loopback(url: str) -> bool:
    """Whether an address names this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class SettingsError(Exception):
    """A setting is missing or wrong; the message is one sentence that names it."""


class Settings(BaseSettings):
    """The settings of one pipeline; every field is the environment variable ``PF_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="PF_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    api_base_url: str = Field(
        "https://atlas.propertyfinder.com", description="The portal, without a path."
    )
    api_key: SecretStr | None = Field(None, description="Exchanged, with the secret, for a token.")
    api_secret: SecretStr | None = Field(None, description="The API key's secret.")
    api_token: SecretStr | None = Field(None, description="A ready bearer token instead.")
    api_dialect: Dialect = Field("guide", description="Which query parameters are sent.")
    data_dir: Path = Field(Path("data"), description="Everything that the pipeline writes.")
    crm_url: str = Field(
        "", description="The CRM warehouse; empty means crm.duckdb in the data folder."
    )
    properties: str = Field(
        "data/reference/properties.csv", description="CSV or Parquet file, or 'crm'."
    )
    agents: str = Field("data/reference/agents.csv", description="CSV or Parquet file, or 'crm'.")
    webhook_secret: SecretStr | None = Field(None, description="Signs webhook deliveries.")
    webhook_secret_previous: SecretStr | None = Field(None, description="The secret before it.")
    default_country: str = Field("AE", description="For phones without a country code.")
    display_timezone: str = Field("Asia/Dubai", description="Shown to people; inside all is UTC.")

    overlap_minutes: Annotated[int, Field(ge=0, le=24 * 60)] = Field(
        180, description="How far a poll looks back, because leads surface late."
    )
    trailing_days: Annotated[int, Field(ge=1, le=89)] = Field(
        7, description="How many full days are read again every night: statuses still move."
    )
    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        30.0, description="How long one answer of the portal may take."
    )
    request_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        6, description="How often a request is tried before a sweep fails."
    )
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        PORTAL_REQUESTS_PER_MINUTE,
        description="The request budget of this machine; above 650 only for a sandbox on it.",
    )
    parallel_requests: Annotated[int, Field(ge=1, le=32)] = Field(
        8, description="How many pages of one sweep are fetched at the same time."
    )
    lock_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        60.0, description="How long to wait for another process that writes to the CRM."
    )
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="A day with a larger share of rejects is not loaded."
    )
    max_unassigned_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="A day with a larger share of unassigned leads is warned about."
    )

    @field_validator("api_base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an address such as https://atlas.propertyfinder.com")
        if parts.scheme == "http" and not is_loopback(value):
            raise ValueError("must use https, or leads and tokens would travel in the clear")
        return value.rstrip("/")

    @field_validator("data_dir")
    @classmethod
    def _can_be_a_folder(cls, value: Path) -> Path:
        if value.exists() and not value.is_dir():
            raise ValueError(f"must be a folder, but {value} is a file")
        return value

    @field_validator("default_country")
    @classmethod
    def _is_a_country(cls, value: str) -> str:
        if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("must be a two-letter country code such as AE")
        return value.upper()

    @field_validator("display_timezone")
    @classmethod
    def _is_a_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone such as Asia/Dubai")
        return value

    @model_validator(mode="after")
    def _budget_fits_the_portal(self) -> "Settings":
        if self.requests_per_minute > PORTAL_REQUESTS_PER_MINUTE and not self.portal_is_local:
            raise ValueError(
                f"PF_REQUESTS_PER_MINUTE must not exceed {PORTAL_REQUESTS_PER_MINUTE}, "
                "the portal's limit; only a sandbox on this machine may be asked faster"
            )
        return self

    @property
    def portal_is_local(self) -> bool:
        """Whether the portal runs on this machine, as a sandbox does."""
        return is_loopback(self.api_base_url)

    @property
    def timezone(self) -> ZoneInfo:
        """The display time zone."""
        return ZoneInfo(self.display_timezone)

    @property
    def crm_location(self) -> str:
        """The CRM's address, with the default filled in."""
        return self.crm_url or f"duckdb:///{self.data_dir / 'crm.duckdb'}"


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and ``.env``.

    Args:
        **overrides: Fields that win over both, by their lower-case name.

    Raises:
        SettingsError: A value is wrong; names the variable and what is expected.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_one_sentence(error)) from None


def _one_sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    reason = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{reason}."
    name = f"PF_{str(first['loc'][0]).upper()}"
    return f"The setting {name} is wrong: {reason[0].lower()}{reason[1:]}."
