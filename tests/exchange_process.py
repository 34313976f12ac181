"""Runs the exchange's web process as a process of its own, for tests that kill it or weigh it.

``python -m tests.exchange_process FOLDER DATABASE_URL LIMIT_MB STUDENTS`` prints one JSON line with what a
client needs, then serves until killed.
"""

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.exchange_stand import CITY, open_stand


@dataclasses.dataclass
class WebProcess:
    """A web process and its tokens by role."""

    process: subprocess.Popen[str]
    url: str
    tokens: dict[str, str]

    @property
    def memory_mb(self) -> float:
        """Memory that only this process holds (unique set size)."""
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1e6


@contextmanager
def run_web(folder: Path, database_url: str, *, limit_mb: int = 8, students: int = 0) -> Iterator[WebProcess]:
    """Start the process on data below `folder` and wait until it serves; killed at the end."""
    arguments = [str(folder), database_url, str(limit_mb), str(students)]
    command = [sys.executable, "-m", "tests.exchange_process", *arguments]
    log = (folder / "web.log").open("w")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "web.log").read_text()
        said: dict[str, Any] = json.loads(line)
        yield WebProcess(process, said["url"], said["tokens"])
    finally:
        process.kill()
        process.wait()
        log.close()


def main() -> None:
    folder, database_url = Path(sys.argv[1]), sys.argv[2]
    limit_mb, students = int(sys.argv[3]), int(sys.argv[4])
    limits = f"archive_max_mb: {limit_mb}, archive_unpacked_max_mb: {4 * limit_mb}"
    city = CITY.replace("archive_max_mb: 8, archive_unpacked_max_mb: 40", limits)
    with open_stand(folder, database_url, city_text=city, more_students=students) as stand:
        print(json.dumps({"url": stand.url, "tokens": stand.tokens}), flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
