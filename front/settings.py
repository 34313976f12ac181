"""What the front server must know, read from the environment (prefix ``ATELIER_``)."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

STATIC_NAME = "static--service"


class FrontSettings(BaseSettings):
    """The front server: what it listens on, its certificate, where the proxy and the files are."""

    model_config = SettingsConfigDict(env_prefix="ATELIER_", extra="ignore")

    public_url: str = Field(description="Address people open, https; the same as the hub's.")
    front_https_port: int = Field(443, description="Port the front listens on for TLS.")
    front_http_port: int | None = Field(
        None, description="Port on which the front leads http to https; none: it does not listen for http."
    )
    front_address: str = Field("0.0.0.0", description="Address the front listens on.")  # noqa: S104  the world is its job
    front_proxy: str = Field("127.0.0.1:8000", description="The proxy behind the front, host:port.")
    front_resolver: str | None = Field(
        None,
        description="DNS server that knows the proxy's name, e.g. 127.0.0.11 in containers; needed when "
        "`front_proxy` is a name.",
    )
    front_certificate: Path = Field(description="Wildcard certificate with its chain (PEM).")
    front_certificate_key: Path = Field(description="The certificate's private key (PEM).")
    front_static_dir: Path = Field(description="Folder filled by `python -m front publish`.")
    front_run_dir: Path = Field(description="Folder of the front's own for its process id and passing data.")
    front_modules_dir: Path = Field(Path("/usr/lib/nginx/modules"), description="nginx's dynamic modules.")
    front_user: str | None = Field(
        None, description="System user of nginx's workers, only where nginx is started as root."
    )
    front_workers: int = Field(2, ge=1, le=64, description="nginx's worker processes.")
    front_workspace_upload_max_mb: int = Field(
        128, ge=1, description="Largest request body to a workspace, e.g. a saved notebook."
    )

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
            raise ValueError("must be https://host[:port] without a path: the front server is there for TLS")
        return f"https://{parts.netloc}"

    @property
    def public_host(self) -> str:
        """The hub's host name, without a port."""
        return str(urlsplit(self.public_url).hostname)

    @property
    def public_netloc(self) -> str:
        """The hub's host name, with the port where it is not 443."""
        return urlsplit(self.public_url).netloc

    @property
    def static_url(self) -> str:
        """The origin from which all accounts load files that are the same for all."""
        return f"https://{STATIC_NAME}.{self.public_netloc}"
