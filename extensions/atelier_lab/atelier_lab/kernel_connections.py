"""Connections to kernels that are still starting.

The server connects to a kernel's ports before the kernel listens there, and ZeroMQ tries again after 100 ms.
When the kernel has answered the server's first question by then, the connection that hears which state it is
in comes too late for that answer; the server asks again half a second later, and the first cell waits for it.
"""

from typing import Any

import zmq

# A kernel answers about 60 ms after it began to listen.
TRY_AGAIN_MS = 10


def hasten_connections(context: Any) -> None:
    """Let all connections that `context` makes from now on try again soon. They lead to this machine only."""
    context.setsockopt(zmq.RECONNECT_IVL, TRY_AGAIN_MS)
