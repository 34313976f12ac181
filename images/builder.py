"""Docker's client, and which of its two builders it takes: BuildKit where it has it, else the classic one.

BuildKit knows in a second that nothing has changed, and moves a build stage's files without reading them
twice. Debian 12's client has it inside; newer ones ask for the plug-in buildx, which may be missing.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

FIRST_WITHOUT_BUILDKIT_INSIDE = 23


@dataclass(frozen=True)
class Builder:
    """The client's program, and the variables with which it builds."""

    docker: str
    variables: Mapping[str, str]

    @classmethod
    def choose(cls, docker: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the better builder of a client that is installed, or what ``DOCKER_BUILDKIT`` asks for."""
        variables = {
            "DOCKER_BUILDKIT": environment.get("DOCKER_BUILDKIT") or ("1" if has_buildkit(docker) else "0"),
            # What went wrong is in the builder's own words, which are shown when it has.
            "BUILDKIT_PROGRESS": "plain",
            # A person's own builder would keep the images to itself, where no `FROM` finds them.
            "BUILDX_BUILDER": find_context(docker),
            # Attestations would make images that an older daemon for workspaces cannot load.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }
        return cls(docker, variables)


def has_buildkit(docker: str) -> bool:
    """Whether a client that is installed can build with BuildKit."""
    version = re.search(r"Docker version (\d+)\.", _ask(docker, "--version").stdout)
    if version and int(version[1]) < FIRST_WITHOUT_BUILDKIT_INSIDE:
        return True
    return _ask(docker, "buildx", "version").returncode == 0


def find_context(docker: str) -> str:
    """Return the name of the context that the client uses; buildx calls its daemon's own builder the same."""
    # A client without buildx answers an unknown word with its help.
    shown = re.fullmatch(r"[\w.+-]+", _ask(docker, "context", "show").stdout.strip())
    return shown[0] if shown else "default"


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
