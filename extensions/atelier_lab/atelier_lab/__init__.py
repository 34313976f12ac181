"""JupyterLab's *Atelier* sidebar and the small server part it talks to."""

import os
from typing import Any


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "atelier-lab"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "atelier_lab"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Called by Jupyter Server at start."""
    from atelier_lab.handlers import add_handlers
    from atelier_lab.own_origin import keep_live_documents_to_own_origin

    add_handlers(server_app)
    keep_live_documents_to_own_origin(server_app)


async def _start_jupyter_server_extension(server_app: Any) -> None:
    """Called when all is set up: JupyterHub sets its own hook for Lab's page after extensions are loaded."""
    from atelier_lab.shared_files import install_shared_files

    settings = server_app.web_app.settings
    if os.environ.get("ATELIER_PAGES_URL", "").startswith("https:"):
        settings["xsrf_cookie_kwargs"] = {**settings.get("xsrf_cookie_kwargs", {}), "secure": True}
    if install_shared_files(server_app.web_app, os.environ):
        from atelier_lab.shared_answers import add_settings_route

        add_settings_route(server_app)
