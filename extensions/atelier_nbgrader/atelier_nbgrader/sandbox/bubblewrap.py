"""The bubblewrap command: what the student's kernel sees, and nothing else."""

import functools
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from atelier_nbgrader.language import translate as _
from atelier_nbgrader.sandbox.limits import Limits

HOME = "/home/student"
KERNEL_DIR = "/run/kernel"
LAUNCH = "/run/launch/launch.py"
CONNECTION = "/run/launch/connection.json"
FILES = "/run/launch/files"
FONTS = "/run/launch/fonts"
# Read by programs and by matplotlib; none of them says anything about the workspace or the school.
READABLE_ETC = ("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types")
# Installed beside the virtual environment when the checkout is run as it lies (editable).
OWN_PACKAGES = ("atelier_widgets",)


class SandboxUnavailable(Exception):
    """This machine cannot isolate a student's code; the message says what to install or allow."""


@functools.cache
def check_sandbox() -> str:
    """Return the path of a bwrap that can create namespaces here, tried once per process.

    Raises SandboxUnavailable with the repair.
    """
    bwrap = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if bwrap is None:
        raise SandboxUnavailable(
            _(
                "Grading is refused: student code runs only in a sandbox, and bubblewrap is not installed. "
                "Install it (Debian: apt-get install bubblewrap) and try again."
            )
        )
    probe = [bwrap, *_namespaces(), *_system(), "/usr/bin/true"]
    try:
        done = subprocess.run(probe, capture_output=True, timeout=20, env={}, check=False)  # fixed command
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxUnavailable(_cannot_isolate(str(error))) from error
    if done.returncode != 0:
        raise SandboxUnavailable(_cannot_isolate(done.stderr.decode(errors="replace").strip()))
    return bwrap


def _cannot_isolate(reason: str) -> str:
    return _(
        "Grading is refused: bubblewrap is installed but cannot create namespaces here ({reason}). Allow "
        "user "
        "namespaces (sysctl kernel.unprivileged_userns_clone=1); in a container also "
        "the seccomp calls and systempaths=unconfined, see docs/grading.md."
    ).format(reason=reason[:300])


def kernel_command(
    bwrap: str, *, folder: Path, connection_file: Path, fonts: Path | None, limits: Limits, info_fd: str
) -> list[str]:
    """The whole command that starts a kernel for the files in `folder` (mounted read-only, copied inside)."""
    return [
        bwrap,
        *_namespaces(),
        *_system(),
        *_writable(limits),
        *_python(),  # after the memory file systems: a checkout below /tmp would be hidden by them
        *_mount(connection_file, CONNECTION),
        *_mount(Path(__file__).with_name("launch.py"), LAUNCH),
        *_mount(folder, FILES),
        *(_mount(fonts, FONTS) if fonts is not None and fonts.is_dir() else []),
        *("--remount-ro", "/", "--remount-ro", "/dev"),
        *_environment(),
        *("--chdir", HOME, "--info-fd", info_fd),
        *(sys.executable, "-I", LAUNCH, str(limits.memory_mb), str(limits.file_mb), str(limits.processes)),
        *(str(int(limits.run_s) + 1), FILES, HOME, FONTS, CONNECTION),
    ]


def _namespaces() -> list[str]:
    """Own user, process, network, IPC, host name, mount and cgroup namespaces; no capability, no terminal.

    The network namespace has no interface but its own loopback. When the parent dies, everything dies.
    """
    return [
        *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", "1000", "--gid", "1000"),
        *("--hostname", "sandbox", "--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"),
    ]


def _system() -> list[str]:
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            parts += ["--symlink", f"usr/{name}", f"/{name}"]
        elif path.is_dir():
            parts += ["--ro-bind", f"/{name}", f"/{name}"]
    for path_name in READABLE_ETC:
        parts += ["--ro-bind-try", path_name, path_name]
    # A workspace run as root stays root for the kernel's settings, whatever it is called inside: one line
    # in core_pattern, and the kernel itself starts a program outside. bwrap covers this folder only when the
    # folder itself can be written, which it never can.
    settings = ["--ro-bind", "/proc/sys", "/proc/sys", "--ro-bind-try", "/proc/pressure", "/proc/pressure"]
    return [*parts, "--proc", "/proc", *settings, "--dev", "/dev"]


def _python() -> list[str]:
    """The interpreter's prefixes, and our packages that lie outside of them."""
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    parts: list[str] = []
    for prefix in sorted(p for p in prefixes if not p.is_relative_to("/usr")):
        parts += _mount(prefix, str(prefix))
    for name in OWN_PACKAGES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            if not any(Path(place).is_relative_to(p) for p in prefixes):
                parts += _mount(Path(place), place)
    return parts


def _writable(limits: Limits) -> list[str]:
    """Memory file systems of a fixed size. bwrap's own root would otherwise grow to half of the memory."""
    size = str(limits.disk_mb * 1024 * 1024)
    parts: list[str] = ["--dir", "/run/launch"]
    for place in (HOME, "/tmp", "/dev/shm"):  # noqa: S108 - inside the sandbox
        parts += ["--size", size, "--tmpfs", place]
    return [*parts, "--size", "65536", "--tmpfs", KERNEL_DIR]


def _mount(source: Path, place: str) -> list[str]:
    return ["--ro-bind", str(source), place]


def _environment() -> list[str]:
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    values = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": HOME,
        "USER": "student",
        "LANG": "C.UTF-8",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - inside the sandbox
        "IPYTHONDIR": "/tmp/ipython",  # noqa: S108 - inside the sandbox
        "NBGRADER_EXECUTION": "autograde",
        **dict.fromkeys(threads, "1"),
    }
    return [part for name, value in values.items() for part in ("--setenv", name, value)]
