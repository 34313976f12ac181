"""Runs the cells of one notebook and keeps the answers."""

import time
from typing import Any

from atelier_nbgrader.conductor.kernel import LOOK_EVERY_S, Kernel, RunCut
from atelier_nbgrader.conductor.outputs import Outputs, make_error

GRACE_S = 10.0


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
