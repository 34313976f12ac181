"""The web process: the application, its server, and the interface that only the hub may ask."""

from atelier.web.application import create_app
from atelier.web.server import serve

__all__ = ["create_app", "serve"]
