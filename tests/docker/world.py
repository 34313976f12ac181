"""A world beyond this machine, made by the test: nothing real is ever asked for."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker_town import run


@contextmanager
def open_world() -> Iterator[tuple[str, int]]:
    """Another machine, to which this one has a way: a network namespace. Yields its address and a port."""
    name = f"atelier{os.getpid() % 100000}"
    used = run("ip", "-4", "route")
    net = next(net for net in (f"10.215.{n}" for n in range(250)) if f"{net}.0/" not in used)
    inside = f"nsenter --net=/run/netns/{name}".split()
    code = "import socket; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True)\n"
    code += "while True: s.accept()[0].close()"
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "world", "netns", name)
        run("ip", "addr", "add", f"{net}.1/30", "dev", name)
        run("ip", "link", "set", name, "up")
        run(*inside, "ip", "addr", "add", f"{net}.2/30", "dev", "world")
        run(*inside, "ip", "link", "set", "world", "up")
        run(*inside, "ip", "route", "add", "default", "via", f"{net}.1")
        with subprocess.Popen([*inside, sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
            try:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                socket.create_connection((f"{net}.2", port), 5).close()
                yield f"{net}.2", port
            finally:
                server.kill()
    finally:
        run("ip", "netns", "delete", name)
