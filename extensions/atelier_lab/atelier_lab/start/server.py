"""A workspace's server: JupyterHub's own (`jupyterhub.singleuser`), without what only a hub needs.

``python -P -m atelier_lab.start.server`` takes the same arguments and variables. Importing
`jupyterhub.singleuser` brings along the hub's pages and with them SQLAlchemy and Alembic: half of what the
start of a server costs, and 40 MB. Which functions need them is known for the versions below only; others are
started as JupyterHub starts them.
"""

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from atelier_lab.start.on_demand import (
    ABSENT,
    environment,
    on_demand,
    stand_for_call,
    stand_for_class,
    stand_for_error,
    uncollected,
    without,
)

ORDINARY = "jupyterhub.singleuser"
KNOWN = {"jupyterhub": "6.1.", "jupyterlab": "4.6."}

# What a workspace's server never needs of them, or not at its start; `known` is what is asked of them then.
NOT_YET: dict[str, dict[str, Any]] = {
    # Its access log asks whether a request was the hub's own health check.
    "jupyterhub.handlers": {},
    "jupyterhub.handlers.pages": {
        "HealthCheckHandler": stand_for_class("jupyterhub.handlers.pages", "HealthCheckHandler")
    },
    # Scopes are compared without the hub's database.
    "jupyterhub.orm": {},
    "sqlalchemy": {"func": None},
    "sqlalchemy.exc": {"SQLAlchemyError": stand_for_error("sqlalchemy.exc", "SQLAlchemyError")},
    # Only for lists of extensions in the internet.
    "requests": {},
    "jupyterlab.extensions.pypi": {
        "PyPIExtensionManager": stand_for_call("jupyterlab.extensions.pypi", "PyPIExtensionManager")
    },
}
# Their users do without: names are resolved by the system then, and two formats, which none of Jupyter's
# schemas has, are not checked.
NOT_AT_ALL = ("aiodns", "isoduration", "rfc3986_validator")


def is_known() -> bool:
    """Tell whether these are the versions that the stand-ins were made for."""
    return all(version(package).startswith(known) for package, known in KNOWN.items())


def describe_import(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables under which modules are imported."""
    # JupyterLab asks yarn for its settings when a `node` is found; only who builds extensions needs them.
    variables = {"PATH": ABSENT}
    if environ.get("JUPYTERHUB_API_URL", "").startswith("http:"):
        # aiohttp reads the authorities' certificates, and speaks only to the hub.
        variables |= {"SSL_CERT_FILE": ABSENT, "SSL_CERT_DIR": ABSENT}
    return variables


def import_server() -> None:
    """Import what runs in the server of every kind of workspace."""
    with contextlib.ExitStack() as meanwhile:
        meanwhile.enter_context(uncollected())
        if is_known():
            meanwhile.enter_context(on_demand(NOT_YET))
            meanwhile.enter_context(without(NOT_AT_ALL))
            meanwhile.enter_context(environment(**describe_import(os.environ)))
        import jupyterhub.singleuser  # noqa: F401
        import jupyterlab.labapp  # type: ignore[import-untyped]  # noqa: F401


def stop_between_callbacks() -> None:
    """Let a signal stop the server only when it does nothing else.

    Jupyter writes a line to its log before it stops. A signal that arrives while another line is being
    written cannot: Python refuses, and the server goes on until it is killed, with whatever it had to save.
    """
    from jupyter_server.serverapp import ServerApp

    jupyter: Any = ServerApp
    stop = jupyter._signal_stop

    def stop_soon(server: Any, number: int, frame: Any) -> None:
        server.io_loop.asyncio_loop.call_soon_threadsafe(stop, server, number, None)

    jupyter._signal_stop = stop_soon


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """Let the process leave without tidying up its memory, with the status that the block ends with.

    Python takes every object apart before it leaves, which is three quarters of what the end of a server
    costs, and a class's servers end together. What must not be lost is safe by then: Python has waited for
    its threads, daemons apart, and called what others registered, since it calls in reverse and this is the
    first. Kernels end as ever: a file that a student has not closed is written when it is taken apart.
    """
    status = 1  # of an error that nobody expected

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody listens any more
                stream.flush()
        os._exit(status)

    atexit.register(leave)
    try:
        yield
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
        raise
    status = 0


def main() -> None:
    """Start the server; when that fails before it has begun, as JupyterHub would."""
    try:
        import_server()
    except Exception as error:  # noqa: BLE001 - whatever it is, the account's workspace must start
        print(f"atelier-start: {ORDINARY} is started as it is: {error!r}", file=sys.stderr)  # noqa: T201
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, "-P", "-m", ORDINARY, *sys.argv[1:]])  # noqa: S606
    from jupyterhub.singleuser import main as run

    stop_between_callbacks()
    run()


if __name__ == "__main__":
    with leaving_at_once():
        main()
