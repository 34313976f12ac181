"""The first cell of every attack: how it is tried and judged. Runs inside the workspace."""

import ctypes
import errno
import json
import os
import selectors
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

WAIT_S = 1.0
targets: dict[str, Any] = {}
outcome: dict[str, dict[str, str]] = {"won": {}, "refused": {}, "odd": {}}
libc = ctypes.CDLL(None, use_errno=True)


def attempt(what: str, action: Callable[[], object], *refusals: str) -> None:
    """Try something; write down whether it worked, was refused as foreseen, or failed otherwise."""
    try:
        got = action()
    except BaseException as error:
        reason = name_reason(error)
        outcome["refused" if reason in refusals else "odd"][what] = f"{reason}: {error}"[:300]
    else:
        outcome["won"][what] = repr(got)[:300]


def check(what: str, fine: bool, fact: object) -> None:
    """Judge something measured."""
    outcome["refused" if fine else "won"][what] = str(fact)[:300]


def name_reason(error: BaseException) -> str:
    """EPERM, `HTTP 403`, or the exception's class."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return name_reason(error.reason)
    if isinstance(error, socket.gaierror):
        return "gaierror"
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, type(error).__name__) if number else type(error).__name__


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library. Raises OSError when it says no."""
    ctypes.set_errno(0)
    result = int(getattr(libc, name)(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connect(host: str, port: int) -> str:
    """Open a connection and close it."""
    with socket.create_connection((host, port), WAIT_S):
        return f"{host}:{port} answered"


def ask(method: str, url: str, body: object = None, token: str | None = None, **headers: str) -> str:
    """Send a request with the workspace's own token, unless told otherwise; return status and text."""
    data = None if body is None else json.dumps(body).encode()
    token = os.environ["JUPYTERHUB_API_TOKEN"] if token is None else token
    given = {"Authorization": f"token {token}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, given, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return f"{answer.status} {answer.read(300)!r}"


def hub(method: str, path: str, body: object = None, token: str | None = None) -> str:
    """Ask the hub's API."""
    return ask(method, f"{os.environ['JUPYTERHUB_API_URL']}/{path}", body, token)


def list_open(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Scan: return the pairs of address and port that accept a connection within `WAIT_S`."""
    found: list[tuple[str, int]] = []
    with selectors.DefaultSelector() as selector:
        for pair in pairs:
            probe = socket.socket()
            probe.setblocking(False)
            if probe.connect_ex(pair) in (0, errno.EINPROGRESS):
                selector.register(probe, selectors.EVENT_WRITE, pair)
        end = time.monotonic() + WAIT_S
        while (left := end - time.monotonic()) > 0 and selector.get_map():
            for key, _ in selector.select(left):
                probe = key.fileobj  # type: ignore[assignment]
                selector.unregister(probe)
                if probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(key.data)
                probe.close()
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return found


def run_apart(code: str, wait_s: float = 60) -> tuple[int, str]:
    """Run code in a process of its own, so that the notebook survives it; return status and last output."""
    import subprocess

    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=wait_s, check=False)
    return done.returncode, (done.stdout + done.stderr)[-500:]


def write_file(path: str, text: str = "x") -> str:
    """Append to a file."""
    with open(path, "a") as file:
        file.write(text)
    return path


def read_file(path: str) -> str:
    """Read the beginning of a file."""
    with open(path, "rb") as file:
        return repr(file.read(200))


def count_memory() -> int:
    """Bytes that this workspace is charged with and that could not be given back at once."""
    counted = read_numbers("memory/memory.stat", "memory.stat")
    own = counted["total_rss"] if "total_rss" in counted else counted["anon"]
    return own + counted.get("total_shmem", counted["shmem"])


def count_ended() -> int:
    """How many processes of this workspace the kernel has ended for their memory."""
    return read_numbers("memory/memory.oom_control", "memory.events")["oom_kill"]


def read_numbers(first: str, second: str) -> dict[str, int]:
    """Read what the kernel counts for this workspace, from control groups of the first or second version."""
    folder = "/sys/fs/cgroup"
    path = f"{folder}/{first}" if os.path.exists(f"{folder}/{first}") else f"{folder}/{second}"
    return {name: int(number) for name, number in (line.split() for line in open(path))}
