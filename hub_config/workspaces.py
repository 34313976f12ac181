"""Workspaces: what a Jupyter server of each kind is started with.

What Lab shows by kind and language is decided inside the workspace by the package `atelier_lab` from
``ATELIER_KIND`` and ``ATELIER_LANGUAGE``; here stands what depends on the hub and the city.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner
from tornado.web import HTTPError
from traitlets import Int, Unicode
from traitlets.config import LoggingConfigurable

from hub_config.accounts import Account, ServiceDown
from hub_config.city import City, Limits, WorkspaceLimits
from hub_config.local_processes import list_processes_at_home, lives_at_home, stop_processes

# Ages add up: the hub asks the roster every AUTH_REFRESH_S, a workspace asks the hub every HUB_CACHE_S.
# Together they stay below the 60 s in which a right must have ended, also when the steward is down.
AUTH_REFRESH_S = 25
HUB_CACHE_S = 20
# Asked to end (SIGINT), told to (SIGTERM), then killed. JupyterHub waits 30 s each: a request under way, or
# code that does not want to end, kept a removed member's open tab alive for a minute.
INTERRUPT_S = 8
TERMINATE_S = 4
ACTIVITY_INTERVAL_S = 120
CULL_EVERY_S = 60
LISTENING_POLL_S = 0.1
SQUASH_AFTER_S = 8 * 3600
# A child's history of typing is no archive: the live store keeps what is needed for reconnecting and undoing.
YSTORE = ".local/share/atelier/ystore.db"
PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def find_limits(city: City, account: Account) -> WorkspaceLimits:
    """Return the limits of an account's workspace: its school's, else the defaults."""
    school = city.schools.get(account.school or "")
    limits = school.limits if school else Limits()
    return limits.of(account.kind)


def describe_environment(
    account: Account, service_url: str, pages_url: str, static_url: str = ""
) -> dict[str, str]:
    """Return the variables that docs/architecture.md promises to what runs in a workspace."""
    environment = {
        "ATELIER_SERVICE_URL": service_url.rstrip("/"),
        "ATELIER_PAGES_URL": pages_url,
        "ATELIER_KIND": account.kind,
        "ATELIER_ACCOUNT": account.account,
        "ATELIER_LANGUAGE": account.language,
        "ATELIER_ZONE": account.zone,
    }
    if account.course:
        environment["ATELIER_COURSE"] = account.course
    if static_url:
        environment["ATELIER_STATIC_URL"] = static_url
    return environment


def list_arguments(account: Account, limits: WorkspaceLimits) -> list[str]:
    """Return the server's command line by kind: end of rights, end of idle parts, live editing.

    What is started for an announced lesson does not end as idle before the lesson does.
    """
    idle_s = max(limits.idle_s, account.busy_s)
    arguments = [
        f"--HubOAuth.cache_max_age={HUB_CACHE_S}",
        # An idle kernel ends even when a tab shows it: otherwise a forgotten tab holds its memory all night.
        f"--MappingKernelManager.cull_idle_timeout={idle_s}",
        f"--MappingKernelManager.cull_interval={CULL_EVERY_S}",
        "--MappingKernelManager.cull_connected=True",
        f"--TerminalManager.cull_inactive_timeout={idle_s}",
        f"--TerminalManager.cull_interval={CULL_EVERY_S}",
        f"--ServerApp.shutdown_no_activity_timeout={idle_s}",
        # Host names lie below the city's; whether somebody may enter is the hub's word, not the name's.
        "--ServerApp.allow_remote_access=True",
        "--ContentsManager.allow_hidden=False",
        "--ServerApp.contents_manager_class=atelier_lab.contents.HomeContents",
        # Who opened what and when is nobody's business, and the server would log visitors' session ids.
        "--Application.log_level=WARN",
        # Lab's look for extensions to build costs over a second of CPU per opened tab; ours are prebuilt.
        "--ServerApp.tornado_settings={'page_config_data': {'buildAvailable': False, 'buildCheck': False}}",
    ]
    if account.kind == "team":
        live = [
            f"--SQLiteYStore.squash_after_inactivity_of={SQUASH_AFTER_S}",
            f"--SQLiteYStore.db_path={YSTORE}",
        ]
        return [*arguments, *live]
    return [*arguments, "--YDocExtension.disable_rtc=True"]


async def accepts_connections(host: str, port: int) -> bool:
    """Whether something listens there now."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


class AtelierWorkspace(LoggingConfigurable):
    """Mixed into a spawner: the account is asked for at each start and must be active."""

    service_url = Unicode(help="Where a workspace reaches the service, without a slash at its end.").tag(
        config=True
    )
    pages_url = Unicode(help="The service's pages, for links that people click.").tag(config=True)

    static_url = Unicode(help="Where the front server offers Lab's files to all accounts, if it does.").tag(
        config=True
    )

    account: Account | None = None
    # Of the spawner this is mixed into:
    authenticator: Any
    user: Any
    mem_limit: Any
    args: Any

    async def load_account(self) -> Account:
        """Ask the service about the account. Raises HTTPError: 403 when closed, 503 without an answer."""
        try:
            account: Account | None = await self.authenticator.accounts.find(self.user.name)
        except ServiceDown as down:
            raise HTTPError(503, f"cannot start {self.user.name}: {down}") from down
        if account is None or not account.active:
            raise HTTPError(403, f"cannot start {self.user.name}: the account is not active")
        self.account = account
        limits = find_limits(self.authenticator.city, account)
        self.mem_limit = limits.memory_mb * 1024 * 1024
        self.args = list_arguments(account, limits)
        return account

    def get_env(self) -> dict[str, str]:
        """Return JupyterHub's variables and ours. `env_keep` is a list of harmless names; see `configure`."""
        environment: dict[str, str] = super().get_env()  # type: ignore[misc]
        environment["JUPYTERHUB_ACTIVITY_INTERVAL"] = str(ACTIVITY_INTERVAL_S)
        if self.account is not None:
            environment |= describe_environment(
                self.account, self.service_url, self.pages_url, self.static_url
            )
        return environment


class LocalWorkspace(AtelierWorkspace, SimpleLocalProcessSpawner):
    """Engine `local`: a process of the hub's own system user. Isolates nobody from anybody."""

    homes_dir = Unicode(help="Folder of the accounts' homes.").tag(config=True)
    logs_dir = Unicode(help="Folder of the workspaces' logs; each start begins the account's log anew.").tag(
        config=True
    )
    leftover_timeout_s = Int(3, help="Seconds that what runs in a stopped workspace has to end.").tag(
        config=True
    )

    async def start(self) -> tuple[str, int]:
        """Start the server. Returns address and port."""
        await self.load_account()
        if os.geteuid() == 0:  # in a container or on a machine of one's own; Jupyter asks to be told
            self.args = [*self.args, "--ServerApp.allow_root=True"]
        # A server that ended by itself was not followed by `stop`: what it left must not meet the new one.
        await asyncio.to_thread(self._stop_leftovers)
        home = self.ensure_home()
        self.home_dir = self.notebook_dir = str(home)
        logs = Path(self.logs_dir)
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (logs / f"{self.user.name}.log").open("wb") as log:
            self.popen_kwargs = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "umask": 0o077}
            address: tuple[str, int] = await super().start()
        await self._wait_until_listening(*address)
        return address

    async def _wait_until_listening(self, host: str, port: int) -> None:
        """Return when the server accepts connections. Raises HTTPError at once when it has ended instead.

        JupyterHub alone would wait for its whole timeout. `start_timeout` bounds this wait too.
        """
        while await self.poll() is None:
            if await accepts_connections(host, port):
                return
            await asyncio.sleep(LISTENING_POLL_S)
        raise HTTPError(
            500, f"{self.user.name} ended while starting; see {self.logs_dir}/{self.user.name}.log"
        )

    def ensure_home(self) -> Path:
        """Make the account's home if it is absent. Nothing in an existing one is touched."""
        home = self._home
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / YSTORE).parent.mkdir(parents=True, exist_ok=True)
        return home

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Point the process to its home and to the programs of this Python environment."""
        environment: dict[str, str] = super().user_env(env)
        programs = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
        return {
            **environment,
            "PATH": os.pathsep.join(programs),
            # Settings of the environment win over files in a home, which everybody in a team can write.
            "JUPYTER_PREFER_ENV_PATH": "1",
            # glibc's arenas cost some MB per thread, and nothing here allocates in parallel.
            "MALLOC_ARENA_MAX": "2",
        }

    async def poll(self) -> int | None:
        """Tell whether the server runs (None) or how it ended.

        A hub that was started again knows a process number only. JupyterHub would take any process with it
        for the server: the account could not start until it gave up, and a stop would end a stranger.
        """
        if self.proc is None and self.pid and not lives_at_home(self.pid, self._home):
            self.clear_state()
        ended: int | None = await super().poll()
        return ended

    @property
    def _home(self) -> Path:
        return Path(self.homes_dir) / str(self.user.name)

    async def stop(self, now: bool = False) -> None:
        """Stop the server, then what it left running: kernels, terminals, students' programs."""
        await super().stop(now=now)
        await asyncio.to_thread(self._stop_leftovers)

    def _stop_leftovers(self) -> None:
        leftovers = list_processes_at_home(Path(self.homes_dir), self.user.name)
        if leftovers:
            self.log.info("Ending %d processes left by %s", len(leftovers), self.user.name)
        stop_processes(leftovers, self.leftover_timeout_s)
