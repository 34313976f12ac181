"""A world beyond this machine, made by the test: nothing real is ever asked for."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.docker_town import run


@dataclass(frozen=True)
class World:
    """Another machine. Its address `metadata` is of the range in which clouds tell a machine its keys.

    It is not the one that clouds use: that one is somebody else's, and a firewall that passes nothing on does
    not ask which address of the range is meant.
    """

    address: str
    metadata: str
    port: int

    @property
    def addresses(self) -> tuple[str, str]:
        return self.address, self.metadata


@contextmanager
def open_world() -> Iterator[World]:
    """Another machine, to which this one has a way: a network namespace."""
    name = f"atelier{os.getpid() % 100000}"
    used = run("ip", "-4", "route")
    nets = [find_unused("10.215", used), find_unused("169.254", used)]
    inside = f"nsenter --net=/run/netns/{name}".split()
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "world", "netns", name)
        for net in nets:
            run("ip", "addr", "add", f"{net}.1/30", "dev", name)
            run(*inside, "ip", "addr", "add", f"{net}.2/30", "dev", "world")
        run("ip", "link", "set", name, "up")
        run(*inside, "ip", "link", "set", "world", "up")
        run(*inside, "ip", "route", "add", "default", "via", f"{nets[0]}.1")
        with serve_careless(inside) as port:
            world = World(f"{nets[0]}.2", f"{nets[1]}.2", port)
            for address in world.addresses:
                socket.create_connection((address, port), 5).close()
            yield world
    finally:
        # The namespace takes its end of the pair along, but only after a while.
        run("ip", "link", "delete", name)
        run("ip", "netns", "delete", name)


def find_unused(beginning: str, used: str) -> str:
    """Return a network's first three numbers that no route names."""
    return next(net for net in (f"{beginning}.{n}" for n in range(1, 150)) if f"{net}." not in used)


@contextmanager
def serve_careless(inside: list[str]) -> Iterator[int]:
    """A program in the namespace that accepts every connection. Yields its port."""
    code = "import socket; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True)\n"
    code += "while True: s.accept()[0].close()"
    with subprocess.Popen([*inside, sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.kill()
