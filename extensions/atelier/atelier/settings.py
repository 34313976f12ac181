"""What differs between machines, read from the environment (prefix ``ATELIER_``), for web and steward.

Secrets may lie in files, see `ATELIER_SECRETS_DIR` in `hub_config.settings`; web and steward each have
only their own.
"""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICE_NAME = "atelier"
SERVICE_PREFIX = "/services/atelier/"
HUB_API_URL = "http://127.0.0.1:8081/hub/api"


class StoreSettings(BaseSettings):
    """What every process of the service needs."""

    model_config = SettingsConfigDict(env_prefix="ATELIER_", extra="ignore")

    city_file: Path = Field(description="The city file (YAML), the same as the hub's.")
    database_url: str = Field(description="sqlite:///… or postgresql+psycopg://…")
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines for a person ('text') or one JSON object a line ('json')."
    )


class WebSettings(StoreSettings):
    """The web process: pages and exchange."""

    blob_dir: Path = Field(description="Where archives lie, addressed by SHA-256.")
    templates_dir: Path = Field(description="The folder course_templates/.")
    public_url: str = Field(description="Address people open; the same as the hub's.")
    hub_api_url: str = Field(HUB_API_URL, description="The hub's API as the service reaches it.")
    web_host: str = Field("127.0.0.1", description="Address the service listens on.")
    web_port: int = Field(8082, description="Port the service listens on.")
    web_hub_token: SecretStr = Field(
        description="Hub token of the web process; also its OAuth client secret."
    )
    hub_service_token: SecretStr = Field(description="The token with which the hub asks the service.")
    metrics_token: SecretStr | None = Field(
        None, description="Token with which Prometheus asks `/services/atelier/metrics`; none: not there."
    )

    @property
    def service_public_url(self) -> str:
        """The service's own origin plus its prefix, ending in a slash."""
        return self.service_origin + SERVICE_PREFIX

    @property
    def service_origin(self) -> str:
        """The service's own origin, without a slash at the end."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{SERVICE_NAME}--service.{parts.netloc}"


class StewardSettings(StoreSettings):
    """The steward: accounts and shares."""

    hub_api_url: str = Field(HUB_API_URL, description="The hub's API as the steward reaches it.")
    steward_hub_token: SecretStr = Field(description="The steward's hub token.")
    steward_poll_s: float = Field(1.0, description="Seconds between two looks for roster changes.")
    metrics_dir: Path | None = Field(
        None, description="Folder of the node exporter's textfile collector; none: nothing is noted."
    )
    steward_sweep_s: float = Field(45.0, description="Seconds between two full comparisons.")
    steward_lesson_starts: int = Field(
        4,
        ge=1,
        le=100,
        description="Most starts under way, people's own included, while the steward starts workspaces of "
        "announced lessons.",
    )
    steward_lesson_quiet_s: float = Field(
        600.0,
        ge=0,
        description="Seconds without activity after which a workspace is stopped once its lesson is over. "
        "Below 300 somebody who works may be stopped: workspaces report activity every 2 minutes.",
    )


def secrets_dir() -> str | None:
    """Folder of secret files, or None when the secrets are in the environment."""
    return os.environ.get("ATELIER_SECRETS_DIR")
