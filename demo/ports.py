"""Ports of this machine: which are free, and who holds one that is not."""

import random
import socket
from contextlib import ExitStack
from pathlib import Path

import psutil

from demo.problem import DemoProblem

LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - to look whether a port is free; nothing listens
DRAWN_FROM = range(20000, 32000)
KERNELS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def list_free_ports(count: int) -> list[int]:
    """Return `count` different ports that nobody holds now, on any address. Raises DemoProblem without them.

    None of those that the kernel gives to outgoing connections: whoever asked for the port binds it seconds
    later, and any connection might have taken it by then. Drawn at random, as others draw at the same time.
    """
    candidates, found = list_candidates(), list[int]()
    random.SystemRandom().shuffle(candidates)
    with ExitStack() as held:
        for port in candidates:
            if len(found) == count:
                break
            sock = held.enter_context(socket.socket())
            try:
                sock.bind((EVERY_ADDRESS, port))
            except OSError:
                continue
            found.append(port)
    if len(found) < count:
        fact = f"{count} free ports are needed, and there are {len(found)}."
        raise DemoProblem(fact, "end other programs.")
    return found


def list_candidates() -> list[int]:
    """Return the ports to draw from; where the kernel's own are all of them, those."""
    try:
        first, last = map(int, KERNELS_OWN.read_text().split())
    except OSError:  # not Linux
        first, last = 49152, 65535
    return [port for port in DRAWN_FROM if not first <= port <= last] or list(DRAWN_FROM)


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
