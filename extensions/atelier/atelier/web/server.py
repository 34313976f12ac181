"""Running the web process."""

import logging
import sys

import uvicorn
from fastapi import FastAPI

from atelier.logs import set_up_logs
from atelier.settings import WebSettings
from atelier.web.application import create_app
from hub_config.city import CityError


def serve(settings: WebSettings) -> None:
    """Serve until SIGINT or SIGTERM. Ends with one line when city file or blob folder cannot be used."""
    set_up_logs(settings.log_format)
    try:
        config = make_server_config(settings)
    except CityError as error:
        sys.exit(str(error))
    except OSError as error:
        repair = "give a folder that this process may write (ATELIER_BLOB_DIR)"
        sys.exit(f"{settings.blob_dir}: {error.strerror or error}; {repair}")
    uvicorn.Server(config).run()


def make_server_config(settings: WebSettings, app: FastAPI | None = None) -> uvicorn.Config:
    """Return uvicorn's configuration.

    `proxy_headers` is off: nothing here believes `X-Forwarded-*`. Addresses for people come from
    `public_url`; `X-Forwarded-For` is only the sign that a request came through the proxy (see `internal`).
    """
    # `access_log=False` only takes its handlers away; whoever adds one would log OAuth codes with the query.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Config(
        app or create_app(settings),
        host=settings.web_host,
        port=settings.web_port,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=10,
    )
