"""Live documents answer only pages of this workspace's own origin.

jupyter_server_ydoc 3 lets every origin open its websockets. All accounts' origins are same-site, so a
member's cookies come along: a page of another team could read who is in this one and what they have open,
and write there in the member's name. Kernels and terminals check already (jupyter_server).
"""

from typing import Any

from tornado.websocket import WebSocketHandler


def keep_live_documents_to_own_origin(server_app: Any) -> None:
    """Give jupyter_server_ydoc's websockets, where they run, tornado's check: host of `Origin` is `Host`."""
    live = server_app.extension_manager.extensions.get("jupyter_server_ydoc")
    if live is None or not live.enabled:
        return
    from jupyter_server_ydoc.handlers import YDocWebSocketHandler

    YDocWebSocketHandler.check_origin = WebSocketHandler.check_origin
