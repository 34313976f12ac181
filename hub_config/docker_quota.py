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
from hub_config.docker_usage import Usage, measure_home, measure_unlinked

DISK_LABEL, FILES_LABEL = "atelier.disk_mb", "atelier.disk_files"
QUOTA_FILE = "/run/atelier/quota.json"
Level = Literal["fine", "warn", "full"]
WARN_FROM = 0.9
# Programs in a full home may still write small files, or Lab could not even start a kernel to clear up with.
FULL_FILE_BYTES = 64 * 1024
# Many small files, or a program that fights its limit: a workspace that goes on growing is ended.
CLEARING_UP_BYTES, CLEARING_UP_FILES = 64 * 1024 * 1024, 1000
# What a workspace itself writes when it starts: so much more for each further start of a full account.
START_BYTES, START_FILES = 2 * 1024 * 1024, 100
CAP_SYS_RESOURCE = 24
ROUND_S = 30.0
ROUND_WHILE_FULL_S = 10.0  # somebody clears up and waits
LOOK_S = 1.0
# What may go onto the disk between two rounds; more, and the next round begins at once.
UNSEEN_BYTES, UNSEEN_FILES = 32 * 1024 * 1024, 2000
SUBVOLUME_INODE = 256  # of the root of every btrfs subvolume
TELL = f'umask 077; printf %s "$1" >{QUOTA_FILE}.part && mv {QUOTA_FILE}.part {QUOTA_FILE}'
LOG = logging.getLogger("atelier.quota")


@dataclass(frozen=True)
class Running:
    """A running workspace and what its account may keep."""

    container: str
    account: str
    folder: Path
    disk_mb: int
    files: int


@dataclass
class Full:
    """What is remembered of an account while it is full, also from one of its workspaces to the next: how far
    they may go for clearing up, and what the last look found.
    """

    container: str
    allowed: Usage
    last: Usage


def describe_quota(disk_mb: int, files: int) -> dict[str, str]:
    """Return the labels by which a container says what its account may keep."""
    return {DISK_LABEL: str(disk_mb), FILES_LABEL: str(files)}


# ------------------------------------------------ how full
def find_level(usage: Usage, workspace: Running) -> Level:
    """Judge a home: room left, little room, none. What nobody's work looks like leaves none."""
    if usage.deep or usage.hidden:
        return "full"
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
    empty. Cut off in the middle, it is finished by the next call.
    """
    run_btrfs("quota", "enable", str(folder.parent))
    new = name_subvolume(folder)
    if not new.exists():
        run_btrfs("subvolume", "create", str(new))
    if folder.exists():
        old = folder.stat()
        os.chown(new, old.st_uid, old.st_gid)
        new.chmod(old.st_mode & 0o7777)
        folder.rmdir()
    # For this moment there is no home: a preparation that starts now fails, and the hub begins it again.
    new.rename(folder)


def name_subvolume(folder: Path) -> Path:
    """Name the place where a home's subvolume is made ready."""
    return folder.with_name(f"{folder.name}.new")


def is_new_home(folder: Path) -> bool:
    """Tell whether a home may be exchanged: nothing is in it, or an exchange was cut off before its end."""
    if not folder.exists():
        return name_subvolume(folder).is_dir()
    return folder.is_dir() and not any(folder.iterdir()) and not is_subvolume(folder)


def read_qgroup(folder: Path) -> int:
    """Return the bytes that the kernel counts for a subvolume."""
    rows = run_btrfs("qgroup", "show", "-f", "--raw", str(folder)).splitlines()
    return int(rows[-1].split()[1])


# ------------------------------------------------ refusing growth
def can_lift() -> bool:
    """Tell whether this process may raise other processes' hard limits again. Root on a host may."""
    status = Path("/proc/self/status").read_text()
    return bool(int(status.split("CapEff:")[1].split()[0], 16) >> CAP_SYS_RESOURCE & 1)


def is_run_by(process: int, owner: int) -> bool:
    """Tell whether a process is its owner's: a number read before may be another program's by now."""
    with contextlib.suppress(OSError):
        # Bytes: a program's name is any, and the kernel cuts it off in the middle of a Cyrillic letter.
        status = Path(f"/proc/{process}/status").read_bytes()
        return status.split(b"\nUid:")[1].split()[0] == str(owner).encode()
    return False


def is_refused(process: int) -> bool:
    """Tell whether a process has the limit of a full account."""
    with contextlib.suppress(OSError):
        return resource.prlimit(process, resource.RLIMIT_FSIZE)[0] == FULL_FILE_BYTES
    return False


def limit_files(processes: Iterable[int], most_bytes: int, *, hard: bool) -> None:
    """Let processes write no file beyond a size (`resource.RLIM_INFINITY`: any).

    `hard`: they cannot raise the limit themselves; nor can we without CAP_SYS_RESOURCE.
    """
    most_hard = most_bytes if hard else resource.RLIM_INFINITY
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_FSIZE, (most_bytes, most_hard))


def _add(usage: Usage, more_bytes: int, more_files: int) -> Usage:
    return Usage(usage.used_bytes + more_bytes, usage.files + more_files)


def _find_most(one: Usage, other: Usage) -> Usage:
    return Usage(max(one.used_bytes, other.used_bytes), max(one.files, other.files))


class Keeper:
    """Keeps the quotas of all workspaces on one daemon."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._levels: dict[str, Level] = {}
        self._full: dict[str, Full] = {}
        self._hard_limits = can_lift()
        self._left: tuple[int, int] | None = None
        self._round_at = float("-inf")
        self._knows_nothing = True
        self._subvolumes = is_btrfs(self.volumes)

    @property
    def volumes(self) -> Path:
        """Where the daemon keeps volumes."""
        return Path(self._client.info()["DockerRootDir"]) / "volumes"

    # ------------------------------------------------ when
    def try_to_look(self, now: float) -> bool:
        """Like `look`, and say what cut it off: the daemon restarts, a home goes; the next look comes."""
        try:
            return self.look(now)
        except (APIError, OSError, RuntimeError) as error:
            LOG.error("the round was cut off: %s", error)
            return False

    def look(self, now: float) -> bool:
        """Do a round if it is time or the disk is filling up. `now` in seconds of any clock."""
        if self._subvolumes:
            self.make_subvolumes()
        disk = os.statvfs(self.volumes)
        left = disk.f_bfree * disk.f_frsize, disk.f_ffree
        lost = (0, 0) if self._left is None else (self._left[0] - left[0], self._left[1] - left[1])
        every_s = ROUND_WHILE_FULL_S if "full" in self._levels.values() else ROUND_S
        if now - self._round_at < every_s and lost[0] < UNSEEN_BYTES and lost[1] < UNSEEN_FILES:
            self._keep_new_ones_of_full_accounts()
            return False
        self._left, self._round_at = left, now
        self.do_round()
        return True

    def do_round(self) -> None:
        """Look at every running workspace's home, warn, refuse, lift."""
        running = self._list_running()
        if self._knows_nothing:
            self._levels = {
                workspace.container: "full" for workspace in running if self._was_refused(workspace)
            }
            self._knows_nothing = False
        for workspace in running:
            self._try_to_keep(workspace)
        known = {workspace.container for workspace in running}
        for past in set(self._levels) - known:
            self._levels.pop(past)

    def _was_refused(self, workspace: Running) -> bool:
        """Tell whether this program's last run left a workspace refused: the limits are all that tells."""
        return any(is_refused(process) for process in self._list_processes(workspace))

    def _keep_new_ones_of_full_accounts(self) -> None:
        """A new workspace's programs have no limit yet: so short lived ones would bring their share each."""
        for workspace in self._list_running() if self._full else ():
            full = self._full.get(workspace.account)
            if full and full.container != workspace.container:
                self._try_to_keep(workspace)

    def _try_to_keep(self, workspace: Running) -> None:
        try:
            self._keep(workspace)
        except NotFound:
            return  # has ended meanwhile
        except (APIError, OSError, RuntimeError) as error:
            LOG.error("%s: its quota is not kept: %s", workspace.account, error)
        except Exception:  # a fault of ours that one account found must not end the others' quota
            LOG.exception("%s: its quota is not kept", workspace.account)

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
            usage = self._measure(workspace)
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

    def _measure(self, workspace: Running) -> Usage:
        named = measure_home(workspace.folder)
        unnamed = measure_unlinked(self._list_processes(workspace), workspace.folder.stat().st_dev)
        return Usage(
            named.used_bytes + unnamed.used_bytes,
            named.files + unnamed.files,
            named.deep,
            named.hidden or unnamed.hidden,
        )

    def _refuse_growth(self, workspace: Running, level: Level, before: Level) -> None:
        if level == "full":
            for _ in range(3):  # what a process has begun meanwhile has the limit of who began it, old or new
                self._limit(workspace, FULL_FILE_BYTES)
        elif before == "full":
            self._limit(workspace, resource.RLIM_INFINITY)

    def _limit(self, workspace: Running, most_bytes: int) -> None:
        owner = workspace.folder.stat().st_uid
        processes = [process for process in self._list_processes(workspace) if is_run_by(process, owner)]
        limit_files(processes, most_bytes, hard=self._hard_limits)

    def _list_processes(self, workspace: Running) -> list[int]:
        """Process ids as the machine counts."""
        try:
            top = self._client.top(workspace.container, ps_args="-eo pid")
        except APIError:
            return []  # has ended meanwhile
        # Docker says null, not an empty list, of a container whose last process has just ended.
        return [int(row[0]) for row in top["Processes"] or []]

    def _end_if_growing(self, workspace: Running, level: Level, usage: Usage) -> None:
        """End what grows on although it is refused, or hides its growth; what clearing up needs is let
        through.
        """
        if level != "full":
            self._full.pop(workspace.account, None)
            return
        full = self._full.get(workspace.account)
        if full is None:
            allowed = _add(usage, CLEARING_UP_BYTES, CLEARING_UP_FILES)
            self._full[workspace.account] = Full(workspace.container, allowed, usage)
            return
        if full.container != workspace.container:
            full.container = workspace.container
            full.allowed = _add(_find_most(full.allowed, full.last), START_BYTES, START_FILES)
        full.last = usage
        if usage.hidden or _find_most(usage, full.allowed) != full.allowed:
            self._end(workspace, full)

    def _end(self, workspace: Running, full: Full) -> None:
        LOG.error(
            "%s: full and still growing (%d MB, %d files%s): its workspace is ended",
            *(workspace.account, full.last.used_bytes >> 20, full.last.files),
            ", and more that cannot be measured" if full.last.hidden else "",
        )
        with contextlib.suppress(APIError):  # has ended meanwhile
            self._client.kill(workspace.container)
        full.last = measure_home(
            workspace.folder
        )  # with what it wrote up to its end: the next may clear it up

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
                if item["State"] != "running" and is_new_home(folder):
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
        keeper.try_to_look(time.monotonic())
        if chosen.once:
            return 0
        time.sleep(LOOK_S)


if __name__ == "__main__":
    raise SystemExit(main())
