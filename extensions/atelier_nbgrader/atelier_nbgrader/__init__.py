"""nbgrader plug-ins that reach Atelier's service over HTTP with the workspace's own token."""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "atelier_nbgrader"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from atelier_nbgrader.server import load_extension

    load_extension(server)
