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
    from atelier_lab.kernel_connections import hasten_connections
    from atelier_lab.own_origin import keep_live_documents_to_own_origin
    from atelier_lab.trusted_schemas import trust_schemas

    if "ATELIER_KIND" in os.environ:
        trust_schemas()
        hasten_connections(server_app.kernel_manager.context)
    add_handlers(server_app)
    keep_live_documents_to_own_origin(server_app)


async def _start_jupyter_server_extension(server_app: Any) -> None:
    """Called when all is set up: JupyterHub sets its own hook for Lab's page after extensions are loaded."""
    from atelier_lab.shared_files import install_shared_files

    settings = server_app.web_app.settings
    if os.environ.get("ATELIER_PAGES_URL", "").startswith("https:"):
        # The empty attribute takes back the hour that JupyterHub gives it for who is not signed in.
        own = {"secure": True, "max-age": ""}
        settings["xsrf_cookie_kwargs"] = {**settings.get("xsrf_cookie_kwargs", {}), **own}
    if install_shared_files(server_app.web_app, os.environ):
        from atelier_lab.shared_answers import add_settings_route

        add_settings_route(server_app)
