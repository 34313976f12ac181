"""Starts a transfer job and waits for it off the event loop; one at a time per assignment."""

import asyncio
import json
import os
import sys
from collections import defaultdict
from logging import Logger
from typing import Any

from atelier_lab.workspace import Workspace

TIMEOUT_S = 600


class TransferRefused(Exception):
    """The plug-in refused; the text is its sentence in the reader's language, or empty when it had none."""


class Transfers:
    """The transfers of one workspace."""

    def __init__(self, workspace: Workspace, log: Logger) -> None:
        self._workspace = workspace
        self._log = log
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, verb: str, course: str, assignment: str, language: str) -> dict[str, Any]:
        """Run `verb` ('fetch', 'submit' or 'feedback'); returns the job's answer. Raises TransferRefused."""
        async with self._locks[course, assignment]:
            answer = await self._run_job(verb, course, assignment, language)
        if not answer.get("ok"):
            raise TransferRefused(answer.get("message") or "")
        return answer

    async def _run_job(self, verb: str, course: str, assignment: str, language: str) -> dict[str, Any]:
        job = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the folder is a student's: a file named random.py there must not become a module here
            "-m",
            "atelier_lab.transfer_job",
            verb,
            course,
            assignment,
            cwd=self._workspace.home,
            env=os.environ | {"ATELIER_LANGUAGE": language},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(job.communicate(), TIMEOUT_S)
        except TimeoutError:
            self._log.error("atelier: %s %s/%s took over %d s", verb, course, assignment, TIMEOUT_S)
            return {"ok": False}
        finally:
            if job.returncode is None:
                job.kill()
                await job.wait()
        if err:
            self._log.info("atelier: %s %s/%s: %s", verb, course, assignment, err.decode(errors="replace"))
        return _read_answer(out)


def _read_answer(out: bytes) -> dict[str, Any]:
    """The JSON object on the last line; a job that died left none."""
    lines = out.decode(errors="replace").strip().splitlines()
    try:
        answer: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {"ok": False}
    return answer
