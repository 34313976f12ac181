"""nginx's configuration from its template: ``@NAME@`` stands for a value, whole optional lines included."""

import re
from pathlib import Path

from front.settings import STATIC_NAME, FrontSettings
from hub_config.city import load_city

TEMPLATE = Path(__file__).parent / "nginx.conf.template"
DEFAULT_ARCHIVE_MB = 100
# The service refuses an archive in a sentence of its own; the front only cuts off what is far beyond.
ROOM_FOR_REFUSAL = 1.1
_SAFE = re.compile(r"[A-Za-z0-9._:/@+\-\[\] ]*")


class UnsafeValue(ValueError):
    """A setting would change the meaning of the configuration it is put into."""


def render(settings: FrontSettings) -> str:
    """Return the configuration. Raises UnsafeValue, CityError."""
    values = _list_values(settings)
    for name, value in values.items():
        if not _SAFE.fullmatch(value):
            raise UnsafeValue(
                f"{name.lower()} is {value!r}: only letters, digits and ._:/@+-[] may stand in nginx's "
                "configuration; choose another name or folder"
            )
    lines = {**values, **_list_optional_lines(settings)}
    return re.sub(r"@([A-Z_]+)@", lambda found: lines[found[1]], TEMPLATE.read_text(encoding="utf-8"))


def _list_values(settings: FrontSettings) -> dict[str, str]:
    return {
        "HOST": settings.public_host,
        "HOST_PATTERN": settings.public_host.replace(".", "[.]"),
        "NETLOC": settings.public_netloc,
        "PUBLIC_PORT": settings.public_netloc.rpartition(":")[2] if ":" in settings.public_netloc else "443",
        "STATIC_HOST": f"{STATIC_NAME}.{settings.public_host}",
        "LISTEN": f"{settings.front_address}:{settings.front_https_port}",
        "PROXY": settings.front_proxy,
        "CERTIFICATE": str(settings.front_certificate),
        "CERTIFICATE_KEY": str(settings.front_certificate_key),
        "STATIC_DIR": str(settings.front_static_dir),
        "RUN_DIR": str(settings.front_run_dir),
        "MODULES_DIR": str(settings.front_modules_dir),
        "WORKERS": str(settings.front_workers),
        "WORKSPACE_MAX": f"{settings.front_workspace_upload_max_mb}m",
        "EXCHANGE_MAX": str(find_exchange_max_bytes(settings)),
        "HTTP_LISTEN": f"{settings.front_address}:{settings.front_http_port}",
        "RESOLVER": settings.front_resolver or "",
        "ACME_DIR": str(settings.front_acme_dir or ""),
        "USER": settings.front_user or "",
    }


def find_exchange_max_bytes(settings: FrontSettings) -> int:
    """Return how many bytes may be sent to the exchange: a tenth more than the most that a school allows."""
    largest_mb = DEFAULT_ARCHIVE_MB
    if settings.city_file:
        city = load_city(settings.city_file)
        largest_mb = max(school.limits.archive_max_mb for school in city.schools.values())
    return int(largest_mb * 1_000_000 * ROOM_FOR_REFUSAL)


def _list_optional_lines(settings: FrontSettings) -> dict[str, str]:
    values = _list_values(settings)
    return {
        "USER_LINE": f"user {settings.front_user};" if settings.front_user else "",
        "RESOLVER_LINE": (
            f"resolver {settings.front_resolver} valid=5s ipv6=off;" if settings.front_resolver else ""
        ),
        "HTTP_SERVER": _HTTP_SERVER.format(**values, acme=_acme(settings))
        if settings.front_http_port
        else "",
    }


def _acme(settings: FrontSettings) -> str:
    if not settings.front_acme_dir:
        return ""
    return f"location /.well-known/acme-challenge/ {{ root {settings.front_acme_dir}; }}\n    "


_HTTP_SERVER = """server {{
    # Only the way to https; nothing is answered here that a person would read.
    listen {HTTP_LISTEN} default_server;
    server_name {HOST} *.{HOST};
    {acme}location / {{ return 308 https://$host:{PUBLIC_PORT}$request_uri; }}
  }}"""
