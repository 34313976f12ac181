"""The disk quota of homes: ``python -m hub_config.docker_quota``, as root beside the workspaces' daemon.

How much an account may keep is in the labels of its running container. Where the daemon's volumes lie on
btrfs and the home is a subvolume, the kernel refuses what goes beyond. Elsewhere this program looks how full
homes are: it warns, then refuses growth, by a limit on the size of files that the account's programs write,
and lifts it when there is room again. Nothing is ever deleted. See docs/decisions/disk-quota.md.
"""

import argparse
import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import docker
from docker.errors import APIError, NotFound

from hub_config.docker_homes import ACCOUNT_LABEL, HOME, PREPARATION

DISK_LABEL, FILES_LABEL = "atelier.disk_mb", "atelier.disk_files"
QUOTA_FILE = "/run/atelier/quota.json"
Level = Literal["fine", "warn", "full"]
WARN_FROM = 0.9
# Programs in a full home may still write small files, or Lab could not even start a kernel to clear up with.
FULL_FILE_BYTES = 64 * 1024
# Many small files, or a program that fights its limit: a workspace that goes on growing is ended.
CLEARING_UP_BYTES, CLEARING_UP_FILES = 64 * 1024 * 1024, 1000
CAP_SYS_RESOURCE = 24
DEEPEST, TOO_DEEP = 100, 1_000_000_000
ROUND_S = 30.0
ROUND_WHILE_FULL_S = 10.0  # somebody clears up and waits
LOOK_S = 1.0
# What may go onto the disk between two rounds; more, and the next round begins at once.
UNSEEN_BYTES, UNSEEN_FILES = 32 * 1024 * 1024, 2000
SUBVOLUME_INODE = 256  # of the root of every btrfs subvolume
TELL = f'umask 077; printf %s "$1" >{QUOTA_FILE}.part && mv {QUOTA_FILE}.part {QUOTA_FILE}'
LOG = logging.getLogger("atelier.quota")


@dataclass(frozen=True)
class Usage:
    """What a home holds: bytes on the disk, and files and folders."""

    used_bytes: int
    files: int


@dataclass(frozen=True)
class Running:
    """A running workspace and what its account may keep."""

    container: str
    account: str
    folder: Path
    disk_mb: int
    files: int


def describe_quota(disk_mb: int, files: int) -> dict[str, str]:
    """Return the labels by which a container says what its account may keep."""
    return {DISK_LABEL: str(disk_mb), FILES_LABEL: str(files)}


# ------------------------------------------------ how full
def measure_home(folder: Path) -> Usage:
    """Walk through a home. Students change it meanwhile, so no link is followed and no path is trusted.

    What lies too deep to be measured counts as a file too many, or it would be a way around the quota.
    """
    used, files, seen = 0, 0, set()
    for top, folders, names, handle in os.fwalk(folder, follow_symlinks=False):
        if top.count("/") - str(folder).count("/") >= DEEPEST and folders:
            folders.clear()
            files += TOO_DEEP
        for name in [*folders, *names]:
            with contextlib.suppress(OSError):
                found = os.stat(name, dir_fd=handle, follow_symlinks=False)
                files += 1
                if found.st_nlink == 1 or name in folders or found.st_ino not in seen:
                    used += found.st_blocks * 512
                    seen.add(found.st_ino) if found.st_nlink > 1 else None
    return Usage(used, files)


def find_level(usage: Usage, workspace: Running) -> Level:
    """Judge a home: room left, little room, none."""
    part = max(usage.used_bytes / (workspace.disk_mb << 20), usage.files / workspace.files)
    return "full" if part >= 1 else "warn" if part >= WARN_FROM else "fine"


# ------------------------------------------------ btrfs
def is_subvolume(folder: Path) -> bool:
    """Tell whether a folder is a btrfs subvolume, which can have a limit of its own."""
    return folder.stat().st_ino == SUBVOLUME_INODE and is_btrfs(folder)


def is_btrfs(folder: Path) -> bool:
    """Tell whether a folder lies on btrfs."""
    done = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() == "btrfs"


def run_btrfs(*arguments: str) -> str:
    """Run btrfs' own program. Raises RuntimeError with its words."""
    done = subprocess.run(["btrfs", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"btrfs {' '.join(arguments)}: {done.stderr.strip()}; is btrfs-progs installed?")
    return done.stdout


def make_subvolume(folder: Path) -> None:
    """Put a subvolume in the place of a new, empty home; it keeps owner and mode. Raises OSError if not
    empty.
    """
    run_btrfs("quota", "enable", str(folder))
    old, new = folder.stat(), folder.with_name(f"{folder.name}.new")
    if not new.exists():
        run_btrfs("subvolume", "create", str(new))
    os.chown(new, old.st_uid, old.st_gid)
    new.chmod(old.st_mode & 0o7777)
    folder.rmdir()
    new.rename(folder)


def read_qgroup(folder: Path) -> int:
    """Return the bytes that the kernel counts for a subvolume."""
    rows = run_btrfs("qgroup", "show", "-f", "--raw", str(folder)).splitlines()
    return int(rows[-1].split()[1])


# ------------------------------------------------ refusing growth
def can_lift() -> bool:
    """Tell whether this process may raise other processes' hard limits again. Root on a host may."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) >> CAP_SYS_RESOURCE & 1)


def limit_files(processes: Iterable[int], most_bytes: int, *, hard: bool) -> None:
    """Let processes write no file beyond a size (`resource.RLIM_INFINITY`: any).

    `hard`: they cannot raise the limit themselves; nor can we without CAP_SYS_RESOURCE.
    """
    most_hard = most_bytes if hard else resource.RLIM_INFINITY
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_FSIZE, (most_bytes, most_hard))


class Keeper:
    """Keeps the quotas of all workspaces on one daemon."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._levels: dict[str, Level] = {}
        self._allowed: dict[str, Usage] = {}
        self._hard_limits = can_lift()
        self._left: tuple[int, int] | None = None
        self._round_at = float("-inf")
        self._subvolumes = is_btrfs(self.volumes)

    @property
    def volumes(self) -> Path:
        """Where the daemon keeps volumes."""
        return Path(self._client.info()["DockerRootDir"]) / "volumes"

    # ------------------------------------------------ when
    def look(self, now: float) -> bool:
        """Do a round if it is time or the disk is filling up. `now` in seconds of any clock."""
        if self._subvolumes:
            self.make_subvolumes()
        disk = os.statvfs(self.volumes)
        left = disk.f_bfree * disk.f_frsize, disk.f_ffree
        lost = (0, 0) if self._left is None else (self._left[0] - left[0], self._left[1] - left[1])
        every_s = ROUND_WHILE_FULL_S if "full" in self._levels.values() else ROUND_S
        if now - self._round_at < every_s and lost[0] < UNSEEN_BYTES and lost[1] < UNSEEN_FILES:
            return False
        self._left, self._round_at = left, now
        self.do_round()
        return True

    def do_round(self) -> None:
        """Look at every running workspace's home, warn, refuse, lift."""
        running = self._list_running()
        for workspace in running:
            try:
                self._keep(workspace)
            except NotFound:
                continue  # has ended meanwhile
            except (APIError, OSError, RuntimeError) as error:
                LOG.error("%s: its quota is not kept: %s", workspace.account, error)
        known = {workspace.container for workspace in running}
        for past in set(self._levels) - known:
            self._levels.pop(past)
            self._allowed.pop(past, None)

    def _list_running(self) -> list[Running]:
        found = []
        for item in self._client.containers(filters={"label": DISK_LABEL}):
            labels = item["Labels"]
            homes = [mount["Source"] for mount in item["Mounts"] if mount["Destination"] == HOME]
            if homes:
                limits = int(labels[DISK_LABEL]), int(labels[FILES_LABEL])
                found.append(Running(item["Id"], labels[ACCOUNT_LABEL], Path(homes[0]), *limits))
        return found

    # ------------------------------------------------ one workspace
    def _keep(self, workspace: Running) -> None:
        hard = self._subvolumes and is_subvolume(workspace.folder)
        if hard:
            run_btrfs("qgroup", "limit", f"{workspace.disk_mb}M", str(workspace.folder))
            usage = Usage(read_qgroup(workspace.folder), 0)
        else:
            usage = measure_home(workspace.folder)
        level = find_level(usage, workspace)
        before = self._levels.get(workspace.container, "fine")
        if level != before:
            LOG.warning(
                "%s: %d of %d MB, %d of %d files: %s",
                *(workspace.account, usage.used_bytes >> 20, workspace.disk_mb),
                *(usage.files, workspace.files, level),
            )
        self._levels[workspace.container] = level
        if not hard:
            self._end_if_growing(workspace, level, usage)
            self._refuse_growth(workspace, level, before)
        if level != "fine" or before != "fine":
            self._tell(workspace, level, usage)

    def _refuse_growth(self, workspace: Running, level: Level, before: Level) -> None:
        if level == "full":
            for _ in range(3):  # what a process has begun meanwhile has the limit of who began it, old or new
                self._limit(workspace, FULL_FILE_BYTES)
        elif before == "full":
            self._limit(workspace, resource.RLIM_INFINITY)

    def _limit(self, workspace: Running, most_bytes: int) -> None:
        limit_files(self._list_processes(workspace), most_bytes, hard=self._hard_limits)

    def _list_processes(self, workspace: Running) -> list[int]:
        """Process ids as the machine counts."""
        try:
            top = self._client.top(workspace.container, ps_args="-eo pid")
        except APIError:
            return []  # has ended meanwhile
        return [int(row[0]) for row in top["Processes"]]

    def _end_if_growing(self, workspace: Running, level: Level, usage: Usage) -> None:
        """End what grows on although it is refused; what clearing up needs is let through."""
        if level != "full":
            self._allowed.pop(workspace.container, None)
            return
        allowed = Usage(usage.used_bytes + CLEARING_UP_BYTES, usage.files + CLEARING_UP_FILES)
        allowed = self._allowed.setdefault(workspace.container, allowed)
        if usage.used_bytes > allowed.used_bytes or usage.files > allowed.files:
            LOG.error(
                "%s: full and still growing (%d MB, %d files): its workspace is ended",
                *(workspace.account, usage.used_bytes >> 20, usage.files),
            )
            with contextlib.suppress(APIError):  # has ended meanwhile
                self._client.kill(workspace.container)

    def _tell(self, workspace: Running, level: Level, usage: Usage) -> None:
        """Leave word in the workspace, as its own user: notebooks show it (`atelier_lab.kernel_words`)."""
        word = {"level": level, "used_mb": usage.used_bytes >> 20, "limit_mb": workspace.disk_mb}
        with contextlib.suppress(APIError):  # no process left for it
            made = self._client.exec_create(workspace.container, ["sh", "-c", TELL, "sh", json.dumps(word)])
            self._client.exec_start(made["Id"], detach=True)

    # ------------------------------------------------ new homes
    def make_subvolumes(self) -> None:
        """Give each home that is being prepared for its first start a subvolume (the hub waits for it)."""
        for item in self._client.containers(all=True, filters={"name": f"{PREPARATION}$"}):
            for mount in item["Mounts"]:
                folder = Path(self._client.inspect_volume(mount["Name"])["Mountpoint"])
                # One with files in it stays a folder, under the soft quota.
                new = item["State"] != "running" and folder.is_dir() and not any(folder.iterdir())
                if new and not is_subvolume(folder):
                    make_subvolume(folder)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Keep the disk quota of the workspaces' homes.")
    parser.add_argument("--docker", default="unix:///var/run/docker.sock", help="the workspaces' daemon")
    parser.add_argument("--once", action="store_true", help="look once and end")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    keeper = Keeper(docker.APIClient(base_url=chosen.docker, timeout=60))
    while True:
        try:
            keeper.look(time.monotonic())
        except (APIError, OSError, RuntimeError) as error:
            LOG.error("the round was cut off: %s", error)  # the daemon restarts, a home goes: the next one
        if chosen.once:
            return 0
        time.sleep(LOOK_S)


if __name__ == "__main__":
    raise SystemExit(main())
