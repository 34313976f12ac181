"""What a notebook says beyond Python's own words: why there is no internet here, and that the home is full.

An IPython extension; `etc/ipython/ipython_kernel_config.py`, which the wheel installs, loads it into every
kernel. It says something only where the hub has named a reason in the environment, and never changes what a
cell does: it adds one sentence below.
"""

import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from atelier_lab.texts import N_, translate

# Written by `hub_config.docker_quota`: {"level": "fine" | "warn" | "full", "used_mb": 1, "limit_mb": 2}
QUOTA_FILE = Path("/run/atelier/quota.json")
UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH}
# 64 KiB is what a file may have when a home is full: see hub_config.docker_quota.
NO_ROOM = {errno.EDQUOT, errno.EFBIG, errno.ENOSPC}
INSTALLERS = ("pip", "conda", "mamba", "micromamba", "uv")

NO_INTERNET = N_(
    "There is no internet in this workspace, so programs here cannot open web addresses. Download the file "
    "on your own computer and put it here with the Upload button, or ask your teacher for it."
)
NO_INSTALLING = N_(
    "Nothing can be installed here: this workspace has no internet. If you need another library, ask your "
    "teacher; it can be added for the whole school."
)
NEARLY_FULL = N_(
    "Your files take %1 of %2 MB. Delete what you no longer need, or soon nothing more can be saved."
)
FULL = N_(
    "There is no room left for your files: they take %1 of %2 MB. Nothing was deleted, but larger files can "
    "no longer be saved. Delete what you no longer need; a minute later you can go on."
)


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it, innermost last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def is_about_internet(error: BaseException | None) -> bool:
    """Tell whether an error comes from a name or an address that cannot be reached."""
    return any(
        isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno in UNREACHABLE)
        for cause in list_causes(error)
    )


def is_about_room(error: BaseException | None) -> bool:
    """Tell whether an error comes from a full disk or a full home."""
    return any(isinstance(cause, OSError) and cause.errno in NO_ROOM for cause in list_causes(error))


def load_quota(path: Path = QUOTA_FILE) -> dict[str, Any]:
    """Read how full the home is; empty where nobody has said so."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Explainer:
    """Adds a sentence below a cell that met a limit of the workspace."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._language = "bg" if environ.get("ATELIER_LANGUAGE", "en").startswith("bg") else "en"
        self._offline = environ.get("ATELIER_INTERNET") == "off"
        self._told = "fine"

    def explain(self, result: Any) -> None:
        """IPython's hook after a cell."""
        error = result.error_in_exec
        if self._offline and is_about_internet(error):
            self._say(NO_INTERNET)
        quota = load_quota()
        level = quota.get("level", "fine")
        # A warning once per kernel; that nothing can be saved, each time that something could not be saved.
        if level == "full" and (self._told != "full" or is_about_room(error)):
            self._say(FULL, quota)
        elif level == "warn" and self._told == "fine":
            self._say(NEARLY_FULL, quota)
        self._told = level

    def refuse_installing(self, _line: str = "") -> None:
        """Stands in for %pip and its like."""
        self._say(NO_INSTALLING)

    def _say(self, message: str, quota: Mapping[str, Any] | None = None) -> None:
        text = translate(self._language, message)
        for number, key in enumerate(("used_mb", "limit_mb"), start=1):
            text = text.replace(f"%{number}", str((quota or {}).get(key, "")))
        print(text)  # noqa: T201 - what a cell prints stands below it


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython when a kernel starts. Does nothing outside Atelier."""
    if "ATELIER_KIND" not in os.environ:
        return
    explainer = Explainer(os.environ)
    shell.events.register("post_run_cell", explainer.explain)
    if os.environ.get("ATELIER_INTERNET") == "off":
        for name in INSTALLERS:
            shell.register_magic_function(explainer.refuse_installing, magic_kind="line", magic_name=name)
