"""A Docker daemon of the tests' own, with the images in it; nothing of the machine's own Docker is touched.

What lies in the cache folder (`ATELIER_TEST_CACHE`, default ``/var/cache/atelier-tests``) makes a second run
fast: Debian's base as a tar file, and the daemon's images. All else (processes, bridges, firewall rules)
ends with the run.
"""

import contextlib
import fcntl
import itertools
import os
import re
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import docker
import psutil

from deploy.town_images import forget_old_builds
from images.build import build_images, list_with_parents
from images.catalog import load_images, name_tag
from tests.components import skip_or_fail
from tests.waiting import wait_until

CLIENT = Path("/usr/bin/docker")  # Debian's, whatever else is on PATH
NEEDED = {
    "dockerd": "docker.io",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
}
BASE_TAG = "debian:bookworm-slim"
START_WITHIN_S = 60
# A run that is killed leaves no daemon on a data root that the next run takes.
WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
REMAPPED_FROM, REMAPPED_COUNT = 231072, 65536
NO_RULES = """*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
COMMIT
"""
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def check_docker() -> None:
    """Skip the test where Docker cannot be run, naming what is missing; fail there when CI is set."""
    missing = sorted(package for program, package in NEEDED.items() if not shutil.which(program))
    reason = None
    if os.geteuid() != 0:
        reason = "needs to be root: a Docker daemon of its own is started"
    elif missing or not CLIENT.exists():
        reason = f"needs Docker (Debian's packages {' '.join(missing or ['docker.io'])})"
    if reason:
        skip_or_fail(reason)


def find_cache() -> Path:
    """The folder that survives a run. Not in a home: a daemon with remapped users must be able to walk to
    it.
    """
    folder = Path(os.environ.get("ATELIER_TEST_CACHE") or "/var/cache/atelier-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def changing_network() -> Iterator[None]:
    """One at a time: who starts or ends a daemon rewrites rules that another one may just be writing."""
    with Path("/run/lock/atelier-docker-tests").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Machine:
    """What a daemon changes on the machine's network, to put it back."""

    rules: str
    forwarding: str
    alone: bool

    @classmethod
    def look(cls) -> Self:
        return cls(
            run("iptables-save") or NO_RULES,
            Path("/proc/sys/net/ipv4/ip_forward").read_text(),
            not list_daemons(),
        )

    def put_back(self, bridge: str) -> None:
        """Take away what names our bridges; all that Docker made, unless another daemon lives by it."""
        remove_rules_of(bridge)
        if self.alone and not list_daemons():
            run("iptables-restore", stdin=self.rules)
            Path("/proc/sys/net/ipv4/ip_forward").write_text(self.forwarding)


def remove_rules_of(bridge: str) -> None:
    """Delete the firewall's rules about a daemon's bridge and its workspaces' bridge."""
    named = re.compile(rf" {re.escape(bridge)}w?( |$)")
    table = ""
    for line in run("iptables-save").splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A ") and named.search(line):
            run("iptables", "-w", "-t", table, "-D", *shlex.split(line)[1:], check=False)


class Daemon:
    """A dockerd with user namespaces: root in a container is nobody outside. Ends by its own pid."""

    _numbers = itertools.count()

    def __init__(self, data_root: Path, *, remapped: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="atelier-docker-"))
        self.data_root = data_root
        self.remapped = remapped
        self.bridge = f"atel{os.getpid() % 100000}x{next(self._numbers)}"  # with a "w": the workspaces'
        self.url = f"unix://{self.folder}/docker.sock"
        self.built: set[str] = set()  # names of the images that this run has built, from code that stays
        self._machine: Machine | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the daemon and return when it answers."""
        self.data_root.mkdir(parents=True, exist_ok=True)
        self._lock = (self.data_root / "in-use").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # one data root, one daemon: a second run waits
        with changing_network():
            self._machine = Machine.look()
            add_bridge(self.bridge)
            if self.remapped:
                add_remapping()
            self._launch()
        self._remove_leftovers()  # of a run that was killed: its network lies on a bridge of another name
        return self

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*WITH_US, *self._command()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        wait_until(self._answers, START_WITHIN_S, f"dockerd did not start, see {self.log}")

    def _command(self) -> list[str]:
        remapping = ["--userns-remap=default"] if self.remapped else []
        return [
            *("dockerd", f"--data-root={self.data_root}", f"--exec-root={self.folder}/exec"),
            *(f"--pidfile={self.folder}/pid", f"--host={self.url}", f"--bridge={self.bridge}", *remapping),
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"dockerd ended: {self.log.read_text()[-3000:]}"
        with contextlib.suppress(docker.errors.DockerException), self.connect() as client:
            return bool(client.ping())
        return False

    @property
    def log(self) -> Path:
        return self.folder / "dockerd.log"

    @contextlib.contextmanager
    def connect(self) -> Iterator[docker.DockerClient]:
        """A client of the daemon."""
        client = docker.DockerClient(base_url=self.url, timeout=120)
        try:
            yield client
        finally:
            client.close()

    def stop(self) -> None:
        """End all containers, then the daemon; put the machine's network back."""
        if self._process and self._process.poll() is None:
            self._remove_leftovers()
        with changing_network():
            self._end_process()
            run("ip", "link", "delete", self.bridge, check=False)
            if self._machine:
                self._machine.put_back(self.bridge)
        if self._lock:
            self._lock.close()
        # With user namespaces the daemon makes a second folder for its containers, beside ours.
        remapped = Path(f"{self.folder}.{REMAPPED_FROM}.{REMAPPED_FROM}")
        for folder in (self.folder, remapped):
            shutil.rmtree(folder, ignore_errors=True)

    def _end_process(self) -> None:
        if not self._process or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _remove_leftovers(self) -> None:
        with self.connect() as client:
            for container in client.containers.list(all=True):
                with contextlib.suppress(docker.errors.APIError):
                    container.remove(force=True, v=True)
            client.networks.prune()
            client.volumes.prune(filters={"all": True} if client.api._version >= "1.42" else {})


def add_bridge(name: str) -> None:
    """Make the bridge on which images are built, with a subnet that nobody here uses."""
    used = run("ip", "-4", "route")
    third = next(n for n in range(17, 250) if f" 10.213.{n}." not in used and f"\n10.213.{n}." not in used)
    run("ip", "link", "add", "name", name, "type", "bridge")
    run("ip", "addr", "add", f"10.213.{third}.1/24", "dev", name)
    run("ip", "link", "set", name, "up")


def add_remapping() -> None:
    """Name the range of user numbers that containers have outside, as `userns-remap: default` expects it."""
    if subprocess.run(["id", "dockremap"], capture_output=True, check=False).returncode:
        run("useradd", "--system", "--shell", "/usr/sbin/nologin", "dockremap")
    for path in (Path("/etc/subuid"), Path("/etc/subgid")):
        text = path.read_text() if path.exists() else ""
        if "dockremap:" not in text:
            path.write_text(f"{text}dockremap:{REMAPPED_FROM}:{REMAPPED_COUNT}\n")


def list_daemons() -> list[int]:
    """Process ids of all dockerd that share this network; one in a network of its own has its own rules."""
    found = [process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == "dockerd"]
    return [pid for pid in found if _find_network(str(pid)) == _find_network("self")]


def _find_network(process: str) -> str:
    with contextlib.suppress(OSError):  # it has just ended
        return str(Path(f"/proc/{process}/ns/net").readlink())
    return ""


# ------------------------------------------------ the base tag
def provide_base(daemon: Daemon, cache: Path) -> None:
    """Give the daemon the tag that our images begin with; no registry is asked for it.

    What this machine needs to reach package indexes (its certificates, pip's settings) goes in here and never
    into an image of ours.
    """
    with daemon.connect() as client:
        if client.images.list(BASE_TAG):
            return
        archive = cache / "debian-bookworm-slim.tar"
        if not archive.exists():
            make_base(archive)
        with archive.open("rb") as content:
            run_client(daemon, "import", "--change", 'CMD ["bash"]', "-", BASE_TAG, stdin=content)


def make_base(archive: Path) -> None:
    """Make a Debian without documentation, with this machine's certificates, as a tar file."""
    with tempfile.TemporaryDirectory(prefix="atelier-debian-", dir=archive.parent) as folder:
        root = Path(folder) / "root"
        run("debootstrap", "--variant=minbase", "bookworm", str(root))
        add_machine_settings(root)
        unfinished = archive.with_suffix(".part")
        with tarfile.open(unfinished, "w") as tar:
            tar.add(root, ".", filter=_leave_out)
        unfinished.rename(archive)


def _leave_out(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    inside = member.name.removeprefix("./")
    return None if inside.startswith(tuple(f"{place}/" for place in LEFT_OUT)) else member


def add_machine_settings(root: Path) -> None:
    """Copy certificates and the way to package indexes into a file system."""
    certificates = Path("/usr/local/share/ca-certificates")
    if certificates.is_dir():
        shutil.copytree(certificates, root / certificates.relative_to("/"), dirs_exist_ok=True)
    (root / "etc" / "dpkg" / "dpkg.cfg.d" / "slim").write_text(
        "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n"
    )
    sources = root / "etc" / "apt" / "sources.list"
    mirror = sources.read_text().split()[1]  # the one debootstrap took: "deb <mirror> bookworm main"
    suites = ((mirror, "bookworm"), (mirror, "bookworm-updates"), (f"{mirror}-security", "bookworm-security"))
    sources.write_text("".join(f"deb {place} {suite} main\n" for place, suite in suites))
    (root / "etc" / "pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")


# ------------------------------------------------ images
def provide_images(daemon: Daemon, names: Sequence[str] = ()) -> dict[str, str]:
    """Build images with their parents (default: all; what has not changed comes from the cache).

    Returns name → tag.
    """
    wanted = list_with_parents(load_images(), names or list(load_images()))
    if missing := set(wanted) - daemon.built:
        os.environ["DOCKER_HOST"] = daemon.url
        try:
            build_images(missing, VERSION, str(CLIENT))
        finally:
            del os.environ["DOCKER_HOST"]
        daemon.built |= missing
        forget_old_builds(daemon.url, FORGOTTEN_AFTER)
    return {name: name_tag(name, VERSION) for name in wanted}


VERSION = "test"
FORGOTTEN_AFTER = "72h"  # what older code was built into; without an end the cache would fill the disk


def run_client(daemon: Daemon, *arguments: str, stdin: IO[bytes] | None = None) -> str:
    """Run Debian's docker client against a daemon and return what it printed."""
    done = subprocess.run(
        [str(CLIENT), "--host", daemon.url, *arguments], stdin=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
    return done.stdout.decode()


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a program of the system and return what it printed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout
