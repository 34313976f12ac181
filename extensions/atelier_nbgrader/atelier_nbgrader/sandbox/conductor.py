"""Asks a sandboxed kernel for one cell after the other, and writes down what it answers.

A program of its own (`python -I conductor.py`), without the workspace's environment and with its own limits,
because everything that it reads comes from the student's code. Standard input: a request (see `run.py`).
Standard output: `{"end": {"kind", "cell", "detail"}, "cells": [{"status", "execution_count", "outputs"}]}`
with one entry for each cell that was answered completely.

`kind` is `done`, or why the run was cut: `start`, `died`, `timeout`, `run_timeout`, `memory`, `processes`,
`output`.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.session import Session

INFO_FD = "{info_fd}"
PR_SET_PDEATHSIG = 1
LOOK_EVERY_S = 0.25
GRACE_S = 10.0
SEND_WITHIN_MS = 2000
PAGE = os.sysconf("SC_PAGE_SIZE")


class RunCut(Exception):
    """The run ended before its last cell."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


class Kernel:
    """A kernel in a sandbox: its process, its two sockets, and how much it uses."""

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


class Outputs:
    """Outputs of one cell as the messages come in, kept small."""

    def __init__(self, limits: dict[str, Any], room: int) -> None:
        self.kept: list[dict[str, Any]] = []
        self.size = 0
        self._text_room = limits["cell_output_kb"] * 1024
        self._room = room
        self._clear_next = False

    def add(self, message: dict[str, Any]) -> None:
        kind, content = str(message.get("msg_type")), message["content"]
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
        elif kind in ("stream", "display_data", "execute_result", "error"):
            if self._clear_next:
                self._clear(wait=False)
            self._keep(kind, content)
        elif kind == "update_display_data":
            self._keep("display_data", content)

    def _clear(self, *, wait: bool) -> None:
        self._clear_next = wait
        if not wait:
            # An error is never cleared: without it a failed test would look like a passed one.
            self.kept = [output for output in self.kept if output["output_type"] == "error"]

    def _keep(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            self._keep_text(content)
        elif kind == "error":
            self.kept.append(make_error(content))
        else:
            data = content.get("data")
            data = {str(key): value for key, value in data.items()} if isinstance(data, dict) else {}
            size = len(json.dumps(data))
            if self.size + size > self._room:
                data = {"text/plain": "[output too large]"}
            else:
                self.size += size
            output: dict[str, Any] = {"output_type": kind, "data": data, "metadata": {}}
            self.kept.append(output)

    def _keep_text(self, content: dict[str, Any]) -> None:
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        text = str(content.get("text", ""))[: self._text_room]
        if not text:
            return
        self._text_room -= len(text)
        self.size += len(text)
        if self._text_room == 0:
            text += "\n[…]\n"
        last = self.kept[-1] if self.kept else None
        if last and last["output_type"] == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.kept.append({"output_type": "stream", "name": name, "text": text})


def make_error(content: dict[str, Any]) -> dict[str, Any]:
    """An error output from an `error` message or an error reply, cut to a reasonable size."""
    lines = content.get("traceback")
    lines = lines if isinstance(lines, list) else []
    return {
        "output_type": "error",
        "ename": str(content.get("ename") or "Error")[:200],
        "evalue": str(content.get("evalue") or "")[:2000],
        "traceback": [str(line)[:4000] for line in lines[:60]],
    }


class Conductor:
    """Runs the cells of one notebook and keeps the answers."""

    def __init__(self, kernel: Kernel, limits: dict[str, Any]) -> None:
        self._kernel = kernel
        self._limits = limits
        self._ends_at = time.monotonic() + limits["run_s"]
        self._room = limits["run_output_mb"] * 1024 * 1024
        self.answers: list[dict[str, Any]] = []

    def wait_until_ready(self) -> None:
        """Ask until the kernel answers on both sockets; only then nothing of the first cell can be lost."""
        until = time.monotonic() + self._limits["start_s"]
        seen: set[str] = set()
        while seen != {"iopub", "shell"}:
            if time.monotonic() > until:
                raise RunCut("start", "")
            self._kernel.ask("kernel_info_request", {})
            seen |= {name for name, _ in self._kernel.listen(0.25)}

    def run_cell(self, source: str) -> None:
        """Run one cell; its answer is kept only when it is complete."""
        code = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
        asked = self._kernel.ask("execute_request", {**code, "allow_stdin": False, "stop_on_error": False})
        outputs = Outputs(self._limits, self._room)
        reply = self._collect(asked, outputs, time.monotonic() + self._limits["cell_s"])
        self._room -= outputs.size
        status = "ok" if reply.get("status") == "ok" else "error"
        if status == "error" and not any(output["output_type"] == "error" for output in outputs.kept):
            outputs.kept.append(make_error(reply))
        count = reply.get("execution_count")
        count = count if isinstance(count, int) and not isinstance(count, bool) else None
        self.answers.append({"status": status, "execution_count": count, "outputs": outputs.kept})

    def _collect(self, asked: str, outputs: Outputs, until: float) -> dict[str, Any]:
        """Take messages of one request until the kernel replied and is idle again."""
        reply: dict[str, Any] | None = None
        idle = False
        while reply is None or not idle:
            self._check_time(until, replied=reply is not None)
            for name, message in self._kernel.listen(min(LOOK_EVERY_S, max(0.0, until - time.monotonic()))):
                parent = message.get("parent_header")
                if not isinstance(parent, dict) or parent.get("msg_id") != asked:
                    continue
                if name == "shell" and message.get("msg_type") == "execute_reply":
                    reply = message["content"]
                    until = min(until, time.monotonic() + GRACE_S)
                elif message.get("msg_type") == "status":
                    idle = idle or message["content"].get("execution_state") == "idle"
                elif name == "iopub":
                    outputs.add(message)
        return reply

    def _check_time(self, until: float, *, replied: bool) -> None:
        now = time.monotonic()
        if now > self._ends_at:
            raise RunCut("run_timeout", f"{self._limits['run_s']:.0f} s")
        if now > until:
            if replied:
                raise RunCut("output", "")
            raise RunCut("timeout", f"{self._limits['cell_s']:.0f} s")


def _protect_own_process() -> None:
    """Die with the parent, and bound what a flood of messages can make of this process."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run a request to its end; never raises for what the student's code does."""
    limits, answers, kernel = request["limits"], [], None
    end: dict[str, Any] = {"kind": "done", "cell": None, "detail": ""}
    try:
        kernel = Kernel(request["command"], limits)
        kernel.connect(request["connection"])
        conductor = Conductor(kernel, limits)
        answers = conductor.answers
        conductor.wait_until_ready()
        for source in request["cells"]:
            conductor.run_cell(source)
    except RunCut as cut:
        end = {"kind": cut.kind, "cell": len(answers), "detail": cut.detail[:500]}
    finally:
        if kernel is not None:
            kernel.end()
    return {"end": end, "cells": answers}


def main() -> None:
    _protect_own_process()
    request = json.load(sys.stdin)
    sys.stdout.write(json.dumps(run(request)))


if __name__ == "__main__":
    main()
