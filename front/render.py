"""nginx's configuration from its template: ``@NAME@`` stands for a value, whole optional lines included."""

import re
from pathlib import Path

from front.settings import STATIC_NAME, FrontSettings

TEMPLATE = Path(__file__).parent / "nginx.conf.template"
_SAFE = re.compile(r"[A-Za-z0-9._:/@+\-\[\] ]*")


class UnsafeValue(ValueError):
    """A setting would change the meaning of the configuration it is put into."""


def render(settings: FrontSettings) -> str:
    """Return the configuration. Raises UnsafeValue."""
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
    port = settings.public_netloc.rpartition(":")[2] if ":" in settings.public_netloc else "443"
    return {
        "HOST": settings.public_host,
        "HOST_PATTERN": settings.public_host.replace(".", "[.]"),
        "NETLOC": settings.public_netloc,
        "PUBLIC_PORT": port,
        "AT_PORT": "" if port == "443" else f":{port}",  # as people write addresses
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
        "HTTP_LISTEN": f"{settings.front_address}:{settings.front_http_port}",
        "RESOLVER": settings.front_resolver or "",
        "USER": settings.front_user or "",
    }


def _list_optional_lines(settings: FrontSettings) -> dict[str, str]:
    values = _list_values(settings)
    return {
        "USER_LINE": f"user {settings.front_user};" if settings.front_user else "",
        "RESOLVER_LINE": (
            f"resolver {settings.front_resolver} valid=5s ipv6=off;" if settings.front_resolver else ""
        ),
        "OWN_ANSWERS": _OWN_ANSWERS.format(**values),
        "HTTP_SERVER": _HTTP_SERVER.format(**values) if settings.front_http_port else "",
    }


# What the front says itself on every host: who waits for a restart, and who was given too many cookies.
_OWN_ANSWERS = """error_page 502 504 $atelier_away;
    location ~ ^/away-(bg|en)[.]html$ {{
      internal;
      root {STATIC_DIR}/pages;
      add_header Cache-Control no-store always;
      add_header Retry-After 5 always;
      add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
    }}
    error_page 431 494 @cookie_flood;
    if ($atelier_cookie_flood) {{ return 431; }}
    location @cookie_flood {{
      default_type "text/html; charset=utf-8";
      add_header Clear-Site-Data '"cookies"' always;
      add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
      add_header Cache-Control no-store always;
      return 431 '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="5">\
<title>Atelier</title><p>$atelier_cookie_words</p>';
    }}"""

_HTTP_SERVER = """server {{
    # Only the way to https; nothing is answered here that a person would read.
    listen {HTTP_LISTEN} default_server;
    server_name {HOST} *.{HOST};
    location / {{ return 308 https://$host{AT_PORT}$request_uri; }}
  }}"""
