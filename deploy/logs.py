"""Log lines of the system's containers: into files by day, kept for as long as the settings say.

Docker itself can only bound the size of a container's log. After lines were collected, Docker's own copy is
emptied, so that nothing outlives its time there.
"""

import datetime as dt
import gzip
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import docker

SYSTEM_DOCKER = "unix:///var/run/docker.sock"
PROJECT = "atelier"
NAME = re.compile(r"(?P<service>[a-z]+)-(?P<at>\d{8}T\d{6}Z)\.log\.gz")
STAMP = "%Y%m%dT%H%M%SZ"


def collect_logs(folder: Path, now: dt.datetime, docker_url: str = SYSTEM_DOCKER) -> Iterator[Path]:
    """Write each container's lines into ``<folder>/<service>-<instant>.log.gz``; yield the files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    client = docker.DockerClient(base_url=docker_url, timeout=120)
    try:
        for container in client.containers.list(
            all=True, filters={"label": f"com.docker.compose.project={PROJECT}"}
        ):
            service = container.labels["com.docker.compose.service"]
            path = folder / f"{service}-{now:{STAMP}}.log.gz"
            with gzip.open(path, "wb") as file:
                for piece in container.logs(stream=True, follow=False, timestamps=True):
                    file.write(piece)
            path.chmod(0o600)
            _empty(container.attrs.get("LogPath"))
            yield path
    finally:
        client.close()


def _empty(log_path: str | None) -> None:
    """Empty Docker's file of a log (it appends, so it goes on at the beginning) and remove rotated ones."""
    if not log_path or not Path(log_path).exists():
        return
    os.truncate(log_path, 0)
    for rotated in Path(log_path).parent.glob(f"{Path(log_path).name}.*"):
        rotated.unlink()


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
