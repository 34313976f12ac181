"""How much a request to the hub may bring along.

Tornado takes the body of a request into memory, 100 MB for each connection, before anybody asks who sends it:
a dozen connections, which any workspace may open, and the hub ends for all. JupyterHub makes its server
without a limit and has no setting for it; tornado has a way to give every server other values: `configure`.
"""

from tornado.httpserver import HTTPServer

# The longest that is sent to the hub: the steward's list of all accounts of a city, 16 bytes each.
MOST_BODY_BYTES = 1024 * 1024
BODY_WITHIN_S = 30.0


def limit_bodies() -> None:
    """Let servers that this process makes from now on end connections that bring more or are slower."""
    HTTPServer.configure(
        None,
        max_body_size=MOST_BODY_BYTES,
        max_buffer_size=2 * MOST_BODY_BYTES,
        body_timeout=BODY_WITHIN_S,
    )
