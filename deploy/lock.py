"""One command at a time changes the town: two would write the same files and start the same things."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from deploy.problem import DeployProblem

LOCK = Path("/run/atelier-deploy.lock")  # root's; gone after a restart, as the command is that held it


@contextlib.contextmanager
def alone(command: str, *, wait: bool = False) -> Iterator[None]:
    """Be the only command that changes the town until the block ends, however it ends.

    `command`: what others are told. `wait`: until the other one has ended; else DeployProblem names it.
    """
    with LOCK.open("a+", encoding="utf-8") as file:
        _take(file, wait)
        file.truncate(0)
        file.write(f"{command} (process {os.getpid()})")
        file.flush()
        yield


def _take(file: IO[str], wait: bool) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.seek(0)
        other = file.read() or "another command"
        raise DeployProblem(
            f"{other} is at work on this machine", "let it end, then repeat this; nothing was changed"
        ) from None
