"""Engine `docker`: each workspace is a container that can do nothing but be a workspace.

DockerSpawner talks to the daemon; here stands what is ours: what a container may, where its home is, and
that no spawn option, form or link changes either.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import LogConfig, Ulimit
from dockerspawner import DockerSpawner
from tornado.web import HTTPError
from traitlets import Bool, Dict, Int

from hub_config.accounts import Account
from hub_config.city import WorkspaceLimits
from hub_config.docker_homes import ACCOUNT_LABEL, HOME, Home, Homes, HomesFull
from hub_config.docker_quota import describe_quota
from hub_config.docker_stops import Stops
from hub_config.seccomp import describe_course_profile, describe_students_profile
from hub_config.workspaces import AtelierWorkspace, accepts_connections, find_limits

KIND_LABEL = "atelier.kind"
RUN_DIR = "/run/atelier"
TMP_MB = 256
RUN_MB = 16
SHM_MB = 64
TMP_FILES = 20_000
OPEN_FILES = 4096
# Counted for all containers of the daemon and root together (user namespaces add up to their maker's number):
# a small share each, or one workspace leaves none for timers and queues of the others.
WAITING_SIGNALS, QUEUE_BYTES = 512, 64 * 1024
LOG_MB = 1
LOG_LINES, LOG_LINE_LETTERS = 40, 300
STOP_TIMEOUT_S = 10
# How long starts may hold up a stop. New requests of somebody whose right has ended are refused all the same;
# an open tab is cut by the stop alone.
STOP_PATIENCE_S = 8
# A stop that the daemon did not carry out is asked for again, and so often before it is made by force.
STOP_AGAIN_S, GENTLE_STOPS = 10, 2
LISTENING_POLL_S = 0.05
STATE_POLL_S = 1.0
# A container's own loopback, where no name server listens: names of the world are not asked for at all.
NO_NAME_SERVER = "127.0.0.1"
# Where every core is busy, a program outside of workspaces (hub, service, database: 1024 each) comes first.
CPU_SHARES = 128
# Under memory pressure the machine ends a workspace before the hub.
OOM_SCORE = 500


def describe_host(limits: WorkspaceLimits, home: Home, kind: str) -> dict[str, Any]:
    """Return Docker's `HostConfig` options: the rights and the measure of a workspace's container.

    Memory is limited by DockerSpawner (`mem_limit`); the file systems in memory count towards it.
    """
    memory = limits.memory_mb * 1024 * 1024
    return {
        "cap_drop": ["ALL"],
        "security_opt": list_security_options(kind),
        "read_only": True,
        "auto_remove": False,  # what a container that failed has said must stay readable
        "tmpfs": {
            "/tmp": f"size={TMP_MB}m,nr_inodes={TMP_FILES},mode=1777",  # noqa: S108 - in the container
            RUN_DIR: f"size={RUN_MB}m,nr_inodes={TMP_FILES},mode=700,uid={home.uid},gid={home.uid}",
        },
        "shm_size": SHM_MB * 1024 * 1024,
        "memswap_limit": memory,  # the same as memory: no swap
        "pids_limit": limits.processes,
        "cpu_shares": CPU_SHARES,
        "ulimits": [
            Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="sigpending", soft=WAITING_SIGNALS, hard=WAITING_SIGNALS),
            Ulimit(name="msgqueue", soft=QUEUE_BYTES, hard=QUEUE_BYTES),
        ],
        "oom_score_adj": OOM_SCORE,
        "dns": [NO_NAME_SERVER],
        "dns_opt": ["timeout:1", "attempts:1"],  # a program that asks for a name is told "no" after a second
        "log_config": LogConfig(
            type="json-file", config={"max-size": f"{LOG_MB}m", "max-file": "2", "mode": "non-blocking"}
        ),
    }


def list_security_options(kind: str) -> list[str]:
    """Return Docker's `security_opt`."""
    profile = describe_course_profile() if kind == "course" else describe_students_profile()
    return ["no-new-privileges", f"seccomp={profile}"]


def describe_container(account: Account, home: Home) -> dict[str, Any]:
    """Return options of `create_container`: who runs in it, and what operators see of it."""
    options: dict[str, Any] = {
        "user": f"{home.uid}:{home.uid}",
        "hostname": account.kind,
        "labels": {ACCOUNT_LABEL: account.account, KIND_LABEL: account.kind},
        "stop_timeout": STOP_TIMEOUT_S,
    }
    if account.kind == "course":
        # bubblewrap gives the sandbox a /proc of its own, which the kernel allows only where none is covered
        # (`systempaths=unconfined` on the command line). What lies there belongs to root, whom nobody here
        # can be.
        options["host_config"] = {"MaskedPaths": [], "ReadonlyPaths": []}
    return options


class DockerWorkspace(AtelierWorkspace, DockerSpawner):
    """Engine `docker`: a container of the account's own, on a network that leads to the hub and the service
    only.
    """

    images = Dict(help="Image by kind of workspace.").tag(config=True)
    workers = Int(8, help="Calls to the Docker daemon at the same time, for starts.").tag(config=True)
    stop_workers = Int(16, min=1, help="The same for stops, and for removals; none waits for others.").tag(
        config=True
    )
    stops_beside_starts = Int(
        1, min=1, help="Workspaces that stop at a time while some workspace starts."
    ).tag(config=True)
    last_uid = Int(65_000, help="The last user number that the daemon maps.").tag(config=True)

    subvolumes = Bool(False, help="Whether a new home waits until it is a btrfs subvolume.").tag(config=True)

    object_id: str  # of the container; empty when there is none
    # JupyterHub sets it while a stop that somebody ordered is under way, not for what did not start.
    _stop_future: "asyncio.Future[None] | None" = None

    # Of the hub process, not of one account:
    _pools: ClassVar[dict[str, ThreadPoolExecutor]] = {}
    _homes: ClassVar[Homes | None] = None
    _stops: ClassVar[Stops | None] = None
    # A start removes what an earlier one left, and must not stand in the line of stops for it.
    _lines: ClassVar[dict[str, str]] = {"stop": "stop", "remove_container": "remove"}

    # ------------------------------------------------ calls to the daemon
    def docker(self, method: str, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """Call a method of the client in a thread. DockerSpawner itself has one thread for all accounts."""
        return asyncio.wrap_future(self._order(method, *args, **kwargs))

    def _order(self, method: str, *args: Any, **kwargs: Any) -> "Future[Any]":
        name = self._lines.get(method, "start")
        if name not in self._pools:
            workers = self.workers if name == "start" else self.stop_workers
            self._pools[name] = ThreadPoolExecutor(workers, thread_name_prefix=f"docker-{name}")
        return self._pools[name].submit(self._docker, method, *args, **kwargs)

    # ------------------------------------------------ life
    async def start(self) -> tuple[str, int]:
        """Start the container. Returns address and port when the server listens."""
        # What a form, a link or the API asked for (an image, a command, a variable) is not looked at.
        self.user_options: dict[str, Any] = {}
        account = await self.load_account()
        async with self._find_stops().starting():
            return await self._start(account)

    async def _start(self, account: Account) -> tuple[str, int]:
        try:
            await self._prepare(account)
            address: tuple[str, int] = await super().start()
            await self._take_over(address[0])
        except HomesFull as full:
            self.log.error("No home for %s: %s", account.account, full)
            raise HTTPError(503, f"cannot start {account.account}: {full}") from full
        except ImageNotFound as missing:
            self.log.error("Image %s is missing on the workspaces' daemon: make deploy", self.image)
            raise HTTPError(503, f"cannot start {account.account}: {self.image} is missing") from missing
        await self._wait_until_listening(*address)
        return address

    async def stop(self, now: bool = False) -> None:
        """Stop the container and remove it; later, when many stop already or somebody starts.

        It is over when the container is gone, however long the daemon is in trouble: JupyterHub forgets a
        workspace whose stop has failed, and the open tab of somebody whose right has ended would stay open.
        """
        # By name where a start has failed before it knew the number; "no such container" is fine.
        container = self.object_id = self.object_id or self.object_name
        try:
            await self._stop_surely(container, now)
        except asyncio.CancelledError:
            # The hub itself ends, and JupyterHub notes that this workspace has. The order still goes out.
            self._order("stop", container)
            raise

    async def _stop_surely(self, container: str, now: bool) -> None:
        try:
            async with self._find_stops().stopping():
                await super().stop(now=now)
        except (DockerException, OSError) as error:
            await self._stop_again(container, error)
            self.object_id = ""
            self.clear_state()

    async def _stop_again(self, container: str, error: Exception) -> None:
        for tries in itertools.count(1):
            self.log.error("%s is not stopped, and will be asked again: %s", self.user.name, error)
            await asyncio.sleep(STOP_AGAIN_S)
            try:
                if tries <= GENTLE_STOPS:
                    await self.docker("stop", container)
                await self.docker("remove_container", container, v=True, force=tries > GENTLE_STOPS)
            except NotFound:
                return
            except (DockerException, OSError) as again:
                error = again
            else:
                return

    async def _prepare(self, account: Account) -> None:
        limits = find_limits(self.authenticator.city, account)
        self.image = self.images[account.kind]
        home = await self._find_homes().ensure(self.docker, account.account, self.image)
        # Without `nocopy` Docker gives an empty volume the owner of the image's folder, at each start.
        self.volumes = {home.volume: {"bind": HOME, "mode": "rw,nocopy"}}
        self.cpu_limit = limits.cpus
        self.extra_host_config = describe_host(limits, home, account.kind)
        self.extra_create_kwargs = describe_container(account, home)
        self.extra_create_kwargs["labels"] |= describe_quota(limits.disk_mb, limits.files)
        # A bin that nobody can empty would fill the home; snapshots bring deleted files back.
        self.args = [*self.args, "--FileContentsManager.delete_to_trash=False"]

    async def _take_over(self, ip: str) -> None:
        """End the routes of workspaces that had this address before: their visitors, cookies and all, would
        come to this one.

        The hub sees only at its next look that a workspace has ended by itself; Docker gives an address that
        is free to the next one at once.
        """
        everybody = self.user.settings["users"].values()
        spawners = [spawner for user in everybody for spawner in user.spawners.values()]
        for earlier in spawners:
            if earlier is not self and earlier.server and earlier.server.ip == ip:
                self.log.warning("%s has ended, its address is %s's now", earlier.user.name, self.user.name)
                await self.user.settings["proxy"].delete_user(earlier.user, earlier.name)
                await earlier.poll_and_notify()

    def _find_homes(self) -> Homes:
        if DockerWorkspace._homes is None:
            DockerWorkspace._homes = Homes(self.last_uid, subvolumes=self.subvolumes)
        return DockerWorkspace._homes

    def _find_stops(self) -> Stops:
        if DockerWorkspace._stops is None:
            few = self.stops_beside_starts
            DockerWorkspace._stops = Stops(many=self.stop_workers, few=few, patience_s=STOP_PATIENCE_S)
        return DockerWorkspace._stops

    def get_env(self) -> dict[str, str]:
        """Return the variables of every engine, and how many threads a computation may use."""
        environment = super().get_env()
        threads = str(max(1, math.ceil(self.cpu_limit or 1)))
        # Libraries count the machine's cores, not the container's share of them.
        counted = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        # So that a notebook can say why a web address does not open: see atelier_lab.kernel_words.
        return {**environment, **dict.fromkeys(counted, threads), "ATELIER_INTERNET": "off"}

    async def _wait_until_listening(self, host: str, port: int) -> None:
        """Return when the server accepts connections. Raises HTTPError at once when it has ended instead."""
        looked_at = time.monotonic()
        while not await accepts_connections(host, port):
            await asyncio.sleep(LISTENING_POLL_S)
            if time.monotonic() - looked_at >= STATE_POLL_S:
                looked_at = time.monotonic()
                await self._check_alive()

    async def _check_alive(self) -> None:
        """Raise HTTPError when the container has ended, its last lines in the hub's log."""
        if await super().poll() is None:
            return
        said = await self.docker("logs", self.container_id, tail=LOG_LINES)
        self.log.error("%s ended while starting; it said:\n%s", self.object_name, quote_lines(said))
        await self.remove_object()
        raise HTTPError(500, f"{self.user.name} ended while starting")

    async def get_object(self) -> dict[str, Any] | None:
        """Return what the daemon says of the container; None when there is none.

        Raises APIError when the daemon is in trouble. DockerSpawner takes that, too, for "there is none".
        """
        try:
            found: dict[str, Any] = await self.docker("inspect_container", self.object_name)
        except NotFound:
            self.object_id = ""
            return None
        self.object_id = found["Id"]
        return found

    async def poll(self) -> Any:
        """Tell whether the container runs (None) or how it ended. A daemon that is silent ends nothing.

        One whose stop was ordered counts as running: stopping what has ended does no harm, and removes it.
        A hub that takes a workspace for ended removes its container at the next start, and unsaved work with
        it.
        """
        if self._stop_future and self.object_id:
            return None
        try:
            ended = await super().poll()
            if ended and self.object_id and self._spawn_pending is False:
                await self.remove_object()  # by itself, e.g. idle: nothing of it is needed again
        except (DockerException, OSError) as error:
            self.log.warning("The workspaces' daemon does not answer about %s: %s", self.user.name, error)
            return None
        return ended


def quote_lines(said: bytes) -> str:
    """Return what a container said, so that no line can pass for the hub's own or steer a terminal."""
    lines = said.decode(errors="replace").splitlines()
    shown = ("".join(letter if letter.isprintable() else "?" for letter in line) for line in lines)
    return "\n".join(f"  | {line[:LOG_LINE_LETTERS]}" for line in shown)


def list_images(prefix: str, tag: str) -> Mapping[str, str]:
    """Return the image of each kind of workspace."""
    workspace, course = f"{prefix}workspace:{tag}", f"{prefix}course:{tag}"
    return {"personal": workspace, "team": workspace, "course": course}
