"""Ports on the loopback interface: which are free, and who holds one that is not."""

import socket
from pathlib import Path

import psutil

from demo.problem import DemoProblem

LOOPBACK = "127.0.0.1"


def list_free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind((LOOPBACK, 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def check_port_is_free(port: int) -> None:
    """Raise DemoProblem when something listens on `port`, naming it where this machine lets us see it."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, port))
        except PermissionError:
            raise DemoProblem(
                f"Port {port} may only be opened by the administrator of this machine.",
                f"choose another one: make run PORT={port + 8000 if port < 1024 else 8000}",
            ) from None
        except OSError:
            raise DemoProblem(
                f"Port {port} is in use{_describe_holder(port)}.",
                f"end that program, or choose another port: make run PORT={port + 1000}",
            ) from None


def _describe_holder(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
        pid = next(c.pid for c in connections if c.laddr and c.laddr.port == port and c.status == "LISTEN")
        return f" by {_name_program(psutil.Process(pid))} (process {pid})"
    except (StopIteration, psutil.Error, OSError):
        return ""


def _name_program(process: psutil.Process) -> str:
    """Name a program by its command: a process may call itself as it likes (Node.js: MainThread)."""
    return Path((process.cmdline() or [process.name()])[0]).name or process.name()
