"""The trusted side of a run: builds the request and lets only checked outputs back."""

import dataclasses
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from atelier_nbgrader.conductor import INFO_FD
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.sandbox import bubblewrap
from atelier_nbgrader.sandbox.limits import Limits

SPARE_S = 30.0
KINDS = frozenset(
    {"text/plain", "text/html", "text/latex", "text/markdown", "image/png", "image/jpeg", "image/svg+xml"}
)
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class GradingProblem(Exception):
    """A submission could not be graded to the end; the message names the cell, the fact and the repair."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the kernel answered to one cell; outputs are valid nbformat 4 and use known kinds only."""

    status: str
    execution_count: int | None
    outputs: list[nbformat.NotebookNode]


def run_cells(sources: Sequence[str], folder: Path, limits: Limits | None = None) -> list[Answer]:
    """Run cells in a new kernel in a sandbox that sees a copy of `folder`; returns one answer per source.

    Raises SandboxUnavailable when this machine cannot isolate, GradingProblem when the run was cut (time,
    memory, processes, a dead kernel): then there is no answer
    at all, because half a run must not become points.
    """
    limits = limits or Limits()
    bwrap = bubblewrap.check_sandbox()
    with tempfile.TemporaryDirectory(prefix="atelier-") as place:
        connection = _make_connection()
        connection_file = Path(place, "connection.json")
        connection_file.write_text(json.dumps(connection))
        command = bubblewrap.kernel_command(
            bwrap,
            folder=folder.resolve(),
            connection_file=connection_file,
            fonts=_copy_font_list(Path(place, "fonts")),
            limits=limits,
            info_fd=INFO_FD,
        )
        result = _conduct(
            {
                "command": command,
                "connection": connection,
                "cells": list(sources),
                "limits": dataclasses.asdict(limits),
            },
            limits,
        )
    return _take_answers(result, len(sources), limits)


def _make_connection() -> dict[str, Any]:
    ports = {name: number for number, name in enumerate(PORTS, start=1)}
    return {
        "transport": "ipc",
        "ip": f"{bubblewrap.KERNEL_DIR}/k",
        "key": secrets.token_hex(32),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "python3",
        **ports,
    }


def _copy_font_list(place: Path) -> Path | None:
    """matplotlib's font list of this workspace, so that not each kernel builds it; None: it has none yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    found = [path for path in cache.glob("fontlist-*.json") if path.is_file()]
    if not found:
        return None
    place.mkdir()
    for path in found:
        (place / path.name).write_bytes(path.read_bytes())
    return place


def _conduct(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    # Without environment: what the conductor does not have, nobody can ask it for.
    command = [sys.executable, "-I", "-m", "atelier_nbgrader.conductor"]
    until_s = limits.start_s + limits.run_s + SPARE_S
    try:
        done = subprocess.run(  # fixed command
            command,
            input=json.dumps(request).encode(),
            capture_output=True,
            env={},
            timeout=until_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"end": {"kind": "run_timeout", "cell": None, "detail": f"{until_s:.0f} s"}, "cells": []}
    try:
        result = json.loads(done.stdout)
    except (ValueError, RecursionError):
        detail = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1][:300]
        # Its own limit is reached only by a flood of messages.
        flooded = done.returncode < 0 or "MemoryError" in detail
        return {
            "end": {"kind": "output" if flooded else "start", "cell": None, "detail": detail},
            "cells": [],
        }
    assert isinstance(result, dict)
    return result


def _take_answers(result: dict[str, Any], expected: int, limits: Limits) -> list[Answer]:
    end = result["end"]
    if end["kind"] != "done":
        raise GradingProblem(_explain(end["kind"], end["cell"], end["detail"], limits))
    if len(result["cells"]) != expected:
        raise GradingProblem(_explain("died", len(result["cells"]), "", limits))
    return [_take_answer(cell) for cell in result["cells"]]


def _take_answer(cell: dict[str, Any]) -> Answer:
    found = [_check_output(output, cell["execution_count"]) for output in cell["outputs"]]
    outputs = [nbformat.from_dict(output) for output in found]
    checked = new_notebook(cells=[new_code_cell("", outputs=outputs)])
    try:
        nbformat.validate(checked)
    except (nbformat.ValidationError, RecursionError) as error:
        raise GradingProblem(
            _("The output of a cell is damaged, so the notebook cannot be graded.")
        ) from error
    return Answer(cell["status"], cell["execution_count"], outputs)


def _check_output(output: dict[str, Any], execution_count: int | None) -> dict[str, Any]:
    if output["output_type"] not in ("display_data", "execute_result"):
        return output
    data = {kind: value for kind, value in output["data"].items() if kind in KINDS and isinstance(value, str)}
    if not data and output["data"]:
        data = {"text/plain": _("[an output of a kind that is not shown]")}
    checked = {**output, "data": data, "metadata": {}}
    if output["output_type"] == "execute_result":
        checked["execution_count"] = execution_count
    return checked


def _explain(kind: str, cell: int | None, detail: str, limits: Limits) -> str:
    where = _("code cell {number}").format(number=cell + 1) if cell is not None else _("the notebook")
    texts = {
        "start": _(
            "The kernel did not start: {detail}. Run autograde again; if it stays so, tell the operator."
        ),
        "died": _("{where} ended the kernel. Look at that cell; nothing after it was run."),
        "timeout": _("{where} ran longer than {detail}. Look for an endless loop, or raise the time limit."),
        "run_timeout": _(
            "The notebook ran longer than {detail} in all. Raise the time limit, or look at {where}."
        ),
        "memory": _("{where} used more memory than the limit of {limit} MB."),
        "processes": _("{where} started more than {processes} processes."),
        "output": _("{where} wrote more output than can be taken."),
    }
    text = texts.get(kind, texts["died"])
    said = text.format(where=where, detail=detail or "?", limit=limits.memory_mb, processes=limits.processes)
    return said[:1].upper() + said[1:]
