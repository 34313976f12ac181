"""What every request handler of the web process works with, in one immutable object."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from fastapi import Request

from atelier.settings import WebSettings
from atelier.store import BlobStore, SessionFactory, utc_now
from hub_config.city import City


@dataclass(frozen=True, slots=True)
class Services:
    """Made once by `atelier.web.create_app`; pages, internal interface and exchange share it."""

    settings: WebSettings
    city: City
    sessions: SessionFactory
    blobs: BlobStore
    hub: httpx.AsyncClient = field(repr=False)
    """Speaks to the hub's API (`base_url`: `hub_api_url`). Has no token: each request brings its own."""
    workspaces_hub: httpx.AsyncClient = field(repr=False)
    """The same for workspaces' tokens, with connections of its own: people sign in whatever workspaces do."""
    clock: Callable[[], dt.datetime] = utc_now


def get_services(request: Request) -> Services:
    """FastAPI dependency: the Services of the application that handles `request`."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
