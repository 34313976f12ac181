"""Log lines of the system's containers: into files by day, kept for as long as the settings say.

Docker itself can only bound the size of a container's log. What was collected is removed there, so that
nothing outlives its time. Docker's files are read directly, one JSON object a line: between the end of what
its API sends and the emptying, seconds of lines would be lost. Left is the instant between two system calls.
"""

import contextlib
import datetime as dt
import fcntl
import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import docker

from deploy.look import PROJECT, SYSTEM_DOCKER

NAME = re.compile(r"(?P<service>[a-z]+)-(?P<at>\d{8}T\d{6}Z)\.log\.gz")
STAMP = "%Y%m%dT%H%M%SZ"


def collect_logs(folder: Path, now: dt.datetime, docker_url: str = SYSTEM_DOCKER) -> Iterator[Path]:
    """Move each container's lines into ``<folder>/<service>-<instant>.log.gz``; yield files with lines."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(folder), contextlib.closing(docker.DockerClient(docker_url, timeout=120)) as client:
        for container in client.containers.list(
            all=True, filters={"label": f"com.docker.compose.project={PROJECT}"}
        ):
            service = container.labels["com.docker.compose.service"]
            path = folder / f"{service}-{now:{STAMP}}.log.gz"
            if move_lines(Path(container.attrs.get("LogPath") or "/nonexistent"), path):
                yield path


def move_lines(log: Path, path: Path) -> bool:
    """Append the lines of Docker's file `log` and of its rotated ones to `path`; tell whether there were any.

    After a crash lines are in both places; only what came while the last were packed may be in none.
    """
    numbered = [one for one in log.parent.glob(f"{log.name}.*") if one.suffix[1:].isdigit()]
    rotated = sorted(numbered, key=lambda one: int(one.suffix[1:]), reverse=True)
    if not any(one.exists() and one.stat().st_size for one in (*rotated, log)):
        return False
    path.touch(mode=0o600)
    with path.open("ab") as packed:
        for old in rotated:  # complete: Docker writes to the unnumbered one only
            with old.open("rb") as source:
                _append(source, packed)
                if old.stat().st_ino == os.fstat(source.fileno()).st_ino:  # else Docker counted on meanwhile
                    old.unlink()
        with log.open("r+b") as source:
            _append(source, packed)
            _move_late_lines(source, packed)
    return True


def _append(source: IO[bytes], packed: IO[bytes]) -> None:
    with gzip.GzipFile(fileobj=packed, mode="wb") as archive:
        for line in source:
            archive.write(format_line(line))
    packed.flush()
    os.fsync(packed.fileno())


def _move_late_lines(source: IO[bytes], packed: IO[bytes]) -> None:
    """Empty the file, and keep what came while its lines were packed. Docker appends: it goes on at 0."""
    late = source.read()
    os.ftruncate(source.fileno(), 0)
    if late:
        with gzip.GzipFile(fileobj=packed, mode="wb") as archive:
            archive.writelines(format_line(line) for line in late.splitlines(keepends=True))


def format_line(line: bytes) -> bytes:
    """Return a line of Docker's file as ``<instant> <what was said>``; one that was cut off as it is."""
    try:
        entry = json.loads(line)
        return f"{entry['time']} {entry['log']}".encode()
    except (ValueError, TypeError, KeyError):
        return line.rstrip(b"\n") + b"\n"


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_old_logs(folder: Path, days_of: Callable[[str], int], now: dt.datetime) -> list[Path]:
    """Remove files older than `days_of` their service; return which. What is no log of ours stays."""
    removed = []
    for path in sorted(folder.iterdir()):
        found = NAME.fullmatch(path.name)
        if not found:
            continue
        at = dt.datetime.strptime(found["at"], STAMP).replace(tzinfo=dt.UTC)
        if now - at > dt.timedelta(days=days_of(found["service"])):
            path.unlink()
            removed.append(path)
    return removed
