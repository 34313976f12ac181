"""The kernel in its sandbox: its process, its two sockets, and how much it uses."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.session import Session

from atelier_nbgrader.conductor import INFO_FD

LOOK_EVERY_S = 0.25
SEND_WITHIN_MS = 2000
PAGE = os.sysconf("SC_PAGE_SIZE")


class RunCut(Exception):
    """The run ended before its last cell."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


class Kernel:
    """A kernel in a sandbox, from its start to its end."""

    def __init__(self, command: list[str], limits: dict[str, Any]) -> None:
        self._limits = limits
        read_fd, write_fd = os.pipe()
        command = [str(write_fd) if part == INFO_FD else part for part in command]
        self._process = subprocess.Popen(  # the command was built by our own run.py
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[write_fd],
            env={},
        )
        os.close(write_fd)
        self._said = b""
        self._info = read_fd
        self._pid: int | None = None
        self._looked_at = 0.0

    def connect(self, connection: dict[str, Any]) -> None:
        """Wait for the kernel's sockets and connect to them. Raises RunCut when they do not appear."""
        self._pid = self._read_pid()
        self._session = Session(key=connection["key"].encode(), signature_scheme="hmac-sha256")
        self._context = zmq.Context()
        self._shell = self._connect(zmq.DEALER, connection, "shell_port")
        self._iopub = self._connect(zmq.SUB, connection, "iopub_port")
        self._poller = zmq.Poller()
        for source in (self._shell, self._iopub, self._process.stderr):
            self._poller.register(source, zmq.POLLIN)

    def _read_pid(self) -> int:
        with os.fdopen(self._info) as info:
            said = info.read()
        try:
            return int(json.loads(said)["child-pid"])
        except (ValueError, KeyError, TypeError):
            raise RunCut("start", self._read_errors()) from None

    def _connect(self, kind: int, connection: dict[str, Any], port: str) -> "zmq.Socket[bytes]":
        made = self._context.socket(kind)
        made.linger = 0
        # Sending to a kernel whose end of the socket is gone would wait for ever.
        made.sndtimeo = SEND_WITHIN_MS
        made.maxmsgsize = self._limits["message_mb"] * 1024 * 1024
        # A publisher drops what does not fit, an error or the end of a cell included: keep room; what a flood
        # can take is bounded by this process's own limit.
        made.rcvhwm = 2000
        if kind == zmq.SUB:
            made.subscribe(b"")
        # The sockets lie in the sandbox's own memory file system; its first process leads there. Connected
        # once, before any cell runs: later the student's code could put a link to somewhere else in their
        # place.
        made.reconnect_ivl = -1
        place = f"/proc/{self._pid}/root{connection['ip']}-{connection[port]}"
        self._wait_until_listening(place)
        made.connect(f"ipc://{place}")
        return made

    def _wait_until_listening(self, place: str) -> None:
        until = time.monotonic() + self._limits["start_s"]
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
                tried.connect(place)
                return
            time.sleep(0.02)
        raise RunCut("start", self._read_errors())

    def _read_errors(self) -> str:
        """What bwrap or the kernel wrote before it was ready; nothing while it still runs."""
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        return (self._process.stderr.read(500) or b"").decode(errors="replace")

    def ask(self, message_type: str, content: dict[str, Any]) -> str:
        """Send a request on the shell socket; returns its id. Raises RunCut when nobody takes it."""
        try:
            message = self._session.send(self._shell, message_type, content)
        except zmq.Again:
            raise RunCut("died", self._said.decode(errors="replace")) from None
        assert message is not None  # None only for a message that could not be made
        return str(message["header"]["msg_id"])

    def listen(self, wait_s: float) -> list[tuple[str, dict[str, Any]]]:
        """Messages that came within `wait_s`, as (socket name, message). Raises RunCut when a limit is
        passed."""
        ready = dict(self._poller.poll(int(wait_s * 1000)))
        heard = []
        assert self._process.stderr is not None
        if self._process.stderr.fileno() in ready:
            self._said = (self._said + os.read(self._process.stderr.fileno(), 65536))[:2000]
        for name, source in (("iopub", self._iopub), ("shell", self._shell)):
            if source in ready:
                message = self._receive(source)
                if message is not None:
                    heard.append((name, message))
        self._check_use()
        return heard

    def _receive(self, source: "zmq.Socket[bytes]") -> dict[str, Any] | None:
        frames = source.recv_multipart()
        try:
            _, parts = self._session.feed_identities(frames)
            message = self._session.deserialize(parts)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError):
            return None  # forged or damaged: as if it had not been sent
        return message if message and isinstance(message.get("content"), dict) else None

    def _check_use(self) -> None:
        """Raise RunCut if the kernel is gone or uses too much. At most four real looks a second."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        if self._process.poll() is not None:
            raise RunCut("died", self._said.decode(errors="replace"))
        processes = self._list_processes()
        if len(processes) > self._limits["processes"]:
            raise RunCut("processes", str(len(processes)))
        used_mb = sum(self._find_resident_mb(pid) for pid in processes)
        if used_mb > self._limits["memory_mb"]:
            raise RunCut("memory", f"{used_mb:.0f} MB")

    def _list_processes(self) -> list[str]:
        try:
            return [name for name in os.listdir(f"/proc/{self._pid}/root/proc") if name.isdigit()]  # noqa: PTH208
        except OSError:
            return []  # just ending: the next look finds it dead

    def _find_resident_mb(self, pid: str) -> float:
        try:
            fields = Path(f"/proc/{self._pid}/root/proc/{pid}/statm").read_text().split()
        except OSError:
            return 0.0
        return (int(fields[1]) - int(fields[2])) * PAGE / 1024 / 1024

    def end(self) -> None:
        """Kill everything in the sandbox: with the first process of a PID namespace all others die."""
        if self._pid is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        # bwrap takes its dead child along and ends by itself; killed first, it would leave a zombie to a
        # first process that, in many containers, never looks.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5 if self._pid is not None else 0)
        self._process.kill()
        self._process.wait()
