"""What differs between machines, read from the environment (prefix ``ATELIER_``).

A secret may also lie in a file of the same lower-case name in the folder ``ATELIER_SECRETS_DIR``
(e.g. ``atelier_web_hub_token``), as Docker and Kubernetes hand them out.
"""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# The hub stores its services' tokens hashed once, as random numbers: see configure.set_services.
TOKEN_LETTERS, MOST_TOKEN_LETTERS = 32, 64  # more is none for JupyterHub


class HubSettings(BaseSettings):
    """The hub's settings. Field descriptions are the operator's reference."""

    # An error is read by more people than a secret.
    model_config = SettingsConfigDict(env_prefix="ATELIER_", extra="ignore", hide_input_in_errors=True)

    city_file: Path = Field(description="The city file (YAML).")
    data_dir: Path = Field(
        description="Where the hub keeps its database and, with engine 'local', the homes."
    )
    engine: Literal["local", "docker"] = Field(
        "local",
        description="What runs workspaces. 'local': processes; isolates nobody. 'docker': a container "
        "for each.",
    )
    public_url: str = Field(
        description="Address people open, without a path, e.g. https://atelier.example.bg or "
        "http://atelier.localhost:8000. Every account and the service get a host name below it."
    )
    proxy_port: int = Field(8000, description="Public port of the proxy.")
    proxy_api_port: int = Field(8001, description="The proxy's own API, on loopback.")
    hub_host: str = Field(
        "127.0.0.1",
        description="Address on which the hub's API listens. With engine 'docker' the gateway of the "
        "workspaces' network: no address of the world's.",
    )
    hub_port: int = Field(8081, description="The hub's internal port.")
    hub_connect_url: str | None = Field(
        None,
        description="Where workspaces, service and proxy reach the hub (scheme, host, port), if not at "
        "hub_host and hub_port; e.g. when the hub runs in a container.",
    )
    hub_database_url: str | None = Field(None, description="The hub's database; default: SQLite in data_dir.")
    service_url: str = Field(
        "http://127.0.0.1:8082",
        description="Where the hub and workspaces reach the service (scheme, host, port).",
    )
    static_url: str | None = Field(
        None,
        description="Origin at which the front server offers Lab's files to all accounts, "
        "https://static--service.<host>; none: every workspace serves its own.",
    )
    google_client_id: str = Field(description="OAuth client id from the Google console.")
    google_client_secret: SecretStr = Field(description="OAuth client secret from the Google console.")
    oidc_authorize_url: str | None = Field(
        None, description="Only for a stand-in provider; default: Google's."
    )
    oidc_token_url: str | None = Field(None, description="Only for a stand-in provider; default: Google's.")
    oidc_userinfo_url: str | None = Field(
        None, description="Only for a stand-in provider: base of `/oauth2/v1/userinfo`; default: Google's."
    )
    web_hub_token: SecretStr = Field(
        description="The web process's hub token; also its OAuth client secret. 32 to 64 random letters."
    )
    steward_hub_token: SecretStr = Field(description="The steward's hub token. 32 to 64 random letters.")
    hub_service_token: SecretStr = Field(description="With this token the hub asks the service who is who.")
    proxy_token: SecretStr = Field(description="The proxy's API token.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Token with which Prometheus asks `/hub/metrics`, 32 to 64 random letters; none: only "
        "who signs in as admin.",
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="The hub's log lines, and its culler's: for a person ('text') or one JSON object a line "
        "('json').",
    )

    docker_url: str = Field(
        "unix:///var/run/docker.sock",
        description="Engine 'docker': the daemon that runs workspaces; it should run nothing else.",
    )
    docker_network: str = Field(
        "atelier-workspaces", description="Engine 'docker': the workspaces' network on that daemon."
    )
    image_prefix: str = Field(
        "atelier-",
        description="Engine 'docker': what stands before workspace and course in the images' names.",
    )
    image_tag: str = Field(
        version("atelier-hub-config"),
        description="Engine 'docker': the images' version; default: the hub's own.",
    )
    disk_quota: Literal["soft", "btrfs"] = Field(
        "soft",
        description="Engine 'docker': how `python -m hub_config.docker_quota` keeps homes within the city "
        "file's `disk_mb`. 'soft': it looks, warns, then refuses growth. 'btrfs': new homes are subvolumes "
        "with a limit in the kernel; the workspaces' daemon must keep its data on btrfs.",
    )
    last_uid: int = Field(
        65000,
        description="Engine 'docker': the last user number that the daemon maps (/etc/subuid). Each account "
        "has one.",
    )

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("must be scheme://host[:port] without a path")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("web_hub_token", "steward_hub_token", "metrics_token")
    @classmethod
    def _check_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not TOKEN_LETTERS <= len(value) <= MOST_TOKEN_LETTERS:
            bounds = f"{TOKEN_LETTERS} to {MOST_TOKEN_LETTERS} random letters"
            raise ValueError(
                f"has {len(value)} letters; needed are {bounds}, as openssl rand -hex 32 makes them"
            )
        return value

    @property
    def service_public_url(self) -> str:
        """The service's own origin plus its prefix, ending in a slash."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{SERVICE_NAME}--service.{parts.netloc}{SERVICE_PREFIX}"


SERVICE_NAME = "atelier"
SERVICE_PREFIX = "/services/atelier/"


def load_settings() -> HubSettings:
    """Read the settings from the environment. Raises ValidationError naming each missing variable."""
    return HubSettings(_secrets_dir=os.environ.get("ATELIER_SECRETS_DIR"))
