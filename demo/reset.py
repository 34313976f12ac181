"""Throws the demo's data away: ``python -m demo.reset [--data .data/demo]``. Needs nothing but Python."""

import argparse
import fcntl
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo.problem import DemoProblem

MARKER = "running"


def reset(data_dir: Path) -> bool:
    """Remove a demo's data folder; tell whether there was one.

    Raises DemoProblem while the demo runs, and for a folder in which no demo ever ran: a mistyped path must
    not cost anybody's files.
    """
    if not data_dir.exists():
        return False
    if not (data_dir / MARKER).is_file():
        raise DemoProblem(
            f"{data_dir} is not a demo's data folder; nothing was removed.",
            "give the folder that `make run` printed: make reset DATA=<folder>",
        )
    with (data_dir / MARKER).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoProblem(
                f"The demo with the data in {data_dir} is running; nothing was removed.",
                "end it first, with Ctrl+C where it runs",
            ) from None
        shutil.rmtree(data_dir, onerror=_remove_read_only)
    return True


def _remove_read_only(remove: Callable[[str], Any], path: str, _error: object) -> None:
    """nbgrader leaves folders that even their owner may not write to."""
    Path(path).parent.chmod(stat.S_IRWXU)
    if remove is not shutil.rmtree and Path(path).is_dir() and not Path(path).is_symlink():
        Path(path).chmod(stat.S_IRWXU)
        shutil.rmtree(path)
    else:
        remove(path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.reset", description="Throw the demo's data away.")
    parser.add_argument("--data", type=Path, default=Path(".data/demo"))
    data_dir = parser.parse_args().data
    try:
        there = reset(data_dir)
    except DemoProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    print(
        f"Removed {data_dir}." if there else f"There is nothing in {data_dir}.", "Begin anew with: make run"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
