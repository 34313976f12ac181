"""Looks up what `deploy.checks` judges: this machine's names, disks, daemons, ports and files."""

import contextlib
import datetime as dt
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from deploy import checks
from deploy.backup import NAME, list_backups
from deploy.certificate import describe_certbot, note_certificate
from deploy.checks import Finding
from deploy.settings import TownSettings
from hub_config.docker_homes import ACCOUNT_LABEL, PREPARATION

PROGRAMS = ("docker", "iptables", "pg_dump", "pg_restore", "rsync", "age", "brotli", "btrfs")
NOBODY_ENTERED = "deploy-check-0"  # a name that only a wildcard answers
BRIDGE = "atelier-ws"
SYSTEM_DOCKER = "unix:///var/run/docker.sock"
PROJECT = "atelier"  # what compose labels the system's containers with
SYSTEM_IMAGES = ("hub", "service", "proxy", "database", "front")
WORKSPACE_IMAGES = ("workspace", "course")


def look_at_machine(
    folder: Path, settings: TownSettings, tag: str | None, now: dt.datetime
) -> Iterator[Finding]:
    """Yield all that is missing or wrong, in the order in which a technician would repair it.

    `tag`: of the version that runs, None before the first.
    """
    yield from look_before(folder, settings, now)
    yield from _look_at_docker(settings, tag)
    yield from checks.check_dns(
        settings.domain,
        find_addresses(settings.domain),
        find_addresses(f"{NOBODY_ENTERED}.{settings.domain}"),
    )
    usage = shutil.disk_usage(folder)
    yield from checks.check_disk(str(folder), usage.free, usage.total)
    yield from checks.check_clock(_ask_clock())
    yield from checks.check_terminals(int(Path("/proc/sys/kernel/pty/max").read_text()))
    yield from checks.check_crashes(Path("/proc/sys/kernel/core_pattern").read_text())
    yield from checks.check_ports(list_listening(), settings.gateway)
    yield from checks.check_firewall(_run("iptables", "-S") or "", BRIDGE)
    yield from checks.check_secrets(list_secrets(folder))
    yield from _look_at_backups(folder, now)


def look_before(folder: Path, settings: TownSettings, now: dt.datetime) -> Iterator[Finding]:
    """Yield what is wrong of that which must be right before anything is built and started."""
    file_system = find_file_system(folder)
    present = [name for name in PROGRAMS if shutil.which(name)]
    yield from checks.check_tools(present, bool(settings.backup_key), file_system)
    yield from look_at_certificate(folder, settings, now)
    yield from checks.check_quota(str(folder), file_system, _counts_quotas(folder))
    yield from look_at_holders(settings)


def look_at_certificate(folder: Path, settings: TownSettings, now: dt.datetime) -> list[Finding]:
    """Check the front's certificate, and tell monitoring when it ends."""
    place = folder / "certificate"
    chain, key = (_read(place / name) for name in ("certificate.pem", "key.pem"))
    if chain:
        with contextlib.suppress(ValueError):
            note_certificate(folder, chain)
    obtain = describe_certbot(folder, settings.domain) if settings.certificate == "acme-dns" else None
    return checks.check_certificate(chain, key, settings.domain, now, str(place), obtain)


def _look_at_docker(settings: TownSettings, tag: str | None) -> Iterator[Finding]:
    system = describe_daemon(SYSTEM_DOCKER)
    yield from checks.check_docker_version("Docker", system.get("version"))
    yield from checks.check_installed(tag)
    if system and tag:
        yield from checks.check_images(_name_images(SYSTEM_IMAGES, tag), system["images"], "Docker")
    own = describe_daemon(settings.docker_url)
    yield from checks.check_docker_version("workspaces", own.get("version"))
    if own:
        yield from checks.check_workspaces_daemon(own["security"], own["foreign"])
    if own and tag:
        yield from checks.check_images(_name_images(WORKSPACE_IMAGES, tag), own["images"], "workspaces")


def _name_images(names: tuple[str, ...], tag: str) -> list[str]:
    return [f"atelier-{name}:{tag}" for name in names]


def describe_daemon(url: str) -> dict[str, Any]:
    """Return version, security options, images and foreign containers of a daemon; {} when it is silent."""
    import docker

    try:
        with contextlib.closing(docker.DockerClient(base_url=url, timeout=20)) as client:
            info = client.info()
            containers = client.api.containers(all=True)
            return {
                "version": info["ServerVersion"],
                "security": info.get("SecurityOptions") or [],
                "images": [name for image in client.api.images() for name in image["RepoTags"] or []],
                "foreign": [
                    container["Names"][0].lstrip("/")
                    for container in containers
                    if ACCOUNT_LABEL not in (container["Labels"] or {})
                    and not container["Names"][0].endswith(PREPARATION)
                ],
            }
    except (docker.errors.DockerException, OSError):  # or too slow: requests' errors are OSErrors
        return {}


def find_addresses(name: str) -> list[str]:
    """Return the addresses of a host name; none when it has none."""
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(entry[4][0]) for entry in found})


def find_file_system(folder: Path) -> str:
    """Return the kind of file system on which a folder lies."""
    here = folder.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[place] for place in (here, *here.parents) if place in mounts), "unknown")


def _counts_quotas(folder: Path) -> bool:
    return _run("btrfs", "qgroup", "show", str(folder)) is not None


def _ask_clock() -> str | None:
    said = _run("timedatectl", "show", "-p", "NTPSynchronized", "--value")
    return said.strip() if said else None


def look_at_holders(settings: TownSettings) -> list[Finding]:
    """Check that nobody else has the ports that the system listens on."""
    ports = list_ports(settings)
    ours = list_container_processes()
    holders: dict[tuple[str, int], str] = {}
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        address, port = connection.laddr[0], connection.laddr[1]
        if port in ports and connection.pid not in ours:
            holders[address, port] = _name_process(connection.pid)
    return checks.check_holders(holders)


def list_ports(settings: TownSettings) -> set[int]:
    """Return the ports of front, proxy, hub and web."""
    defaults = {"FRONT_HTTPS": 443, "FRONT_HTTP": 80, "PROXY": 8000, "PROXY_API": 8001}
    return {
        8081,
        8082,
        *(int(settings.extra.get(f"ATELIER_{name}_PORT", port)) for name, port in defaults.items()),
    }


def list_container_processes() -> set[int]:
    """Return the process ids of what runs in the system's containers."""
    import docker

    processes: set[int] = set()
    with (
        contextlib.suppress(docker.errors.DockerException, OSError),
        contextlib.closing(docker.DockerClient(base_url=SYSTEM_DOCKER, timeout=20)) as client,
    ):
        for container in client.api.containers(filters={"label": f"com.docker.compose.project={PROJECT}"}):
            with contextlib.suppress(docker.errors.APIError):  # it is just being restarted
                rows = client.api.top(container["Id"], "-eo pid")["Processes"]
                processes |= {int(row[0]) for row in rows or []}  # null when its last process has just ended
    return processes


def _name_process(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return f"{psutil.Process(pid).name()} (process {pid})"
    return f"process {pid}"


def list_listening() -> list[tuple[str, int]]:
    """Return address and port of every TCP port that is open on this machine."""
    connections = psutil.net_connections(kind="tcp")
    return [(c.laddr[0], c.laddr[1]) for c in connections if c.laddr and c.status == psutil.CONN_LISTEN]


def list_secrets(folder: Path) -> dict[str, tuple[int, int]]:
    """Return mode and size of every secret."""
    files = [path for path in (folder / "secrets").rglob("*") if path.is_file()]
    return {str(path): (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) for path in files}


def _look_at_backups(folder: Path, now: dt.datetime) -> list[Finding]:
    backups = list_backups(folder / "backups")
    if not backups:
        return checks.check_backups(None, False, now)
    newest = backups[-1]
    assert NAME.fullmatch(newest.name)
    at = dt.datetime.strptime(newest.name[8:24], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    return checks.check_backups(at, newest.suffix == ".age", now)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _run(*command: str) -> str | None:
    """Return what a program prints, None when it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
