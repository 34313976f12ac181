"""Homes of engine `docker`: a volume per account, and the user number that owns what is in it.

Every account has a number of its own: whoever broke out of a container would still be nobody else. The
volume's label keeps the number; so it outlives the hub's database, and there is no second list that could
disagree.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

HOME = "/home/work"
UID_LABEL = "atelier.uid"
ACCOUNT_LABEL = "atelier.account"
# Below are the system's users. A daemon with user namespaces commonly maps 65,536 numbers.
FIRST_UID = 20_000
PREPARE_WITHIN_S = 60
PREPARATION = "-preparation"
# Where homes are btrfs subvolumes, `hub_config.docker_quota` makes them; a preparation that comes too early
# says so by this status and is begun again. 256 is the inode of every subvolume's root.
NOT_YET, NOT_YET_POLL_S = 75, 0.5
PREPARE = (
    'if [ -n "$1" ] && [ "$(stat -c %i "$3")" != 256 ] && [ -z "$(ls -A "$3")" ]; then exit 75; fi; '
    'exec install -d --owner="$2" --group="$2" --mode=700 "$3"'
)
Docker = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Home:
    """A volume, and the number (user and group) to whom its files belong."""

    volume: str
    uid: int


class HomesFull(Exception):
    """Every user number that the daemon maps has an account."""


class Homes:
    """The homes on one daemon. One per hub process: it hands out the numbers.

    `subvolumes`: a new home waits until it is a btrfs subvolume.
    """

    def __init__(self, last_uid: int, *, subvolumes: bool = False) -> None:
        self._last_uid = last_uid
        self._subvolumes = subvolumes
        self._next_uid: int | None = None
        self._counting = asyncio.Lock()

    async def ensure(self, docker: Docker, account: str, image: str) -> Home:
        """Return the account's home; make it at the first start. Nothing in an existing one is touched.

        `docker` calls a method of the Docker client by name. Raises HomesFull.
        """
        volume = name_volume(account)
        home = await self._find(docker, volume)
        if home is None:
            home = Home(volume, await self._take_uid(docker))
            await self._create_preparation(docker, home, account, image)
        # Left over when the hub ended in the middle of a first start: then the home still has no owner.
        await self._finish_preparation(docker, home)
        return home

    async def _find(self, docker: Docker, volume: str) -> Home | None:
        try:
            found = await docker("inspect_volume", volume)
        except NotFound:
            return None
        return Home(volume, int(found["Labels"][UID_LABEL]))

    async def _take_uid(self, docker: Docker) -> int:
        async with self._counting:
            if self._next_uid is None:
                known = await docker("volumes", filters={"label": UID_LABEL})
                taken = [int(volume["Labels"][UID_LABEL]) for volume in known["Volumes"] or []]
                self._next_uid = max([FIRST_UID - 1, *taken]) + 1
            if self._next_uid > self._last_uid:
                raise HomesFull(
                    f"no user number is left for a new account (last: {self._last_uid}); widen the range in "
                    "/etc/subuid and /etc/subgid and raise ATELIER_LAST_UID"
                )
            self._next_uid += 1
            return self._next_uid - 1

    async def _create_preparation(self, docker: Docker, home: Home, account: str, image: str) -> None:
        """Make the volume and, in the same call, the container that gives it its owner: never one alone."""
        labels = {UID_LABEL: str(home.uid), ACCOUNT_LABEL: account}
        mount = {
            "Type": "volume",
            "Source": home.volume,
            "Target": HOME,
            "VolumeOptions": {"Labels": labels, "NoCopy": True},
        }
        await docker(
            "create_container",
            image,
            name=_name_preparation(home),
            user="0:0",
            entrypoint=["sh", "-c", PREPARE, "sh"],
            command=["wait" if self._subvolumes else "", str(home.uid), HOME],
            network_disabled=True,
            host_config={
                "CapDrop": ["ALL"],
                "CapAdd": ["CHOWN", "FOWNER"],
                "NetworkMode": "none",
                "Mounts": [mount],
                "ReadonlyRootfs": True,
                "SecurityOpt": ["no-new-privileges"],
            },
        )

    async def _finish_preparation(self, docker: Docker, home: Home) -> None:
        name = _name_preparation(home)
        try:
            await docker("inspect_container", name)
        except NotFound:
            return
        ended = await self._run_preparation(docker, name)
        if ended["StatusCode"] == NOT_YET:
            raise RuntimeError(
                f"the home {home.volume} did not become a btrfs subvolume; start python -m "
                "hub_config.docker_quota, or set ATELIER_DISK_QUOTA=soft"
            )
        if ended["StatusCode"]:
            said = (await docker("logs", name)).decode(errors="replace").strip()
            raise RuntimeError(f"the home {home.volume} got no owner: {said}")
        await docker("remove_container", name)

    async def _run_preparation(self, docker: Docker, name: str) -> Any:
        tries = int(PREPARE_WITHIN_S / 2 / NOT_YET_POLL_S) if self._subvolumes else 1
        for left in reversed(range(tries)):
            try:
                await docker("start", name)
            except APIError:  # perhaps the home was just being exchanged for a subvolume
                if not left:
                    raise
            else:
                ended = await docker("wait", name, timeout=PREPARE_WITHIN_S)
                if ended["StatusCode"] != NOT_YET:
                    break
            await asyncio.sleep(NOT_YET_POLL_S)
        return ended


def name_volume(account: str) -> str:
    """Return the name of the volume that is an account's home."""
    return f"atelier-home-{account}"


def _name_preparation(home: Home) -> str:
    return f"{home.volume}{PREPARATION}"
