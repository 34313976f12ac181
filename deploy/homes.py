"""Where the homes of accounts lie: folders beside the hub (engine `local`), or volumes of a Docker daemon."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.problem import DeployProblem
from hub_config.docker_homes import ACCOUNT_LABEL, UID_LABEL, name_volume

ACCOUNT = re.compile(r"(team-|course-)?[a-z][a-z0-9]{11}")


@dataclass(frozen=True)
class Home:
    """An account's home on this machine. `uid` is its user number in the container, None for engine local;
    `owner` is the same user as this machine counts.
    """

    account: str
    folder: Path
    uid: int | None = None
    owner: int | None = None

    def own(self, path: Path) -> None:
        """Give a file, folder or link to the account."""
        if self.owner is not None:
            os.chown(path, self.owner, self.owner, follow_symlinks=False)


class Homes(Protocol):
    """All homes of a city on this machine."""

    def list_homes(self) -> list[Home]:
        """Return the homes there are, by account."""

    def make_home(self, account: str, uid: int | None) -> Home:
        """Make an empty home for an account that has none."""


@dataclass(frozen=True)
class FolderHomes:
    """Engine `local`: ``<root>/<account>/``."""

    root: Path

    def list_homes(self) -> list[Home]:
        if not self.root.is_dir():
            return []
        return [Home(path.name, path) for path in sorted(self.root.iterdir()) if ACCOUNT.fullmatch(path.name)]

    def make_home(self, account: str, uid: int | None) -> Home:
        check_account(account)
        folder = self.root / account
        folder.mkdir(mode=0o700, parents=True)
        return Home(account, folder)


@dataclass(frozen=True)
class VolumeHomes:
    """Engine `docker`: a labelled volume per account, see `hub_config.docker_homes`."""

    docker_url: str

    def list_homes(self) -> list[Home]:
        import docker

        with _connect(self.docker_url) as client:
            offset = find_offset(client)
            try:
                volumes = client.api.volumes(filters={"label": ACCOUNT_LABEL})["Volumes"] or []
            except docker.errors.APIError as error:
                raise DeployProblem(f"the workspaces' daemon refuses: {error}", "look at its log") from error
        return sorted(_read_volumes(volumes, offset), key=lambda home: home.account)

    def make_home(self, account: str, uid: int | None) -> Home:
        check_account(account)
        if uid is None:
            raise DeployProblem(
                f"the backup knows no user number of {account}",
                "it was made with engine 'local'; restore it into a demo",
            )
        with _connect(self.docker_url) as client:
            labels = {UID_LABEL: str(uid), ACCOUNT_LABEL: account}
            name = name_volume(account)
            client.api.create_volume(name, labels=labels)
            folder = Path(client.api.inspect_volume(name)["Mountpoint"])
            owner = find_offset(client) + uid
        os.chown(folder, owner, owner)
        folder.chmod(0o700)
        return Home(account, folder, uid, owner)


def _read_volumes(volumes: list[dict[str, object]], offset: int) -> Iterator[Home]:
    for volume in volumes:
        labels = volume["Labels"]
        assert isinstance(labels, dict)
        uid = int(labels[UID_LABEL])
        if ACCOUNT.fullmatch(labels[ACCOUNT_LABEL]):
            yield Home(labels[ACCOUNT_LABEL], Path(str(volume["Mountpoint"])), uid, offset + uid)


def _connect(url: str):  # type: ignore[no-untyped-def]  # docker carries no types
    from contextlib import closing

    import docker

    try:
        return closing(docker.DockerClient(base_url=url, timeout=120))
    except docker.errors.DockerException as error:
        raise DeployProblem(
            f"the workspaces' daemon does not answer at {url}", "start it: systemctl start atelier-docker"
        ) from error


def find_offset(client: object) -> int:
    """Return what the daemon's user namespace adds to a user number; 0 without one.

    A remapped daemon keeps its data in a folder named ``<first uid>.<first gid>``.
    """
    root = Path(client.info()["DockerRootDir"]).name  # type: ignore[attr-defined]
    found = re.fullmatch(r"(\d+)\.(\d+)", root)
    return int(found[1]) if found else 0


def check_account(account: str) -> None:
    """Raise DeployProblem for what is no account's name; it becomes part of a path."""
    if not ACCOUNT.fullmatch(account):
        raise DeployProblem(
            f"{account!r} is no account",
            "accounts are 12 letters and digits, for teams and courses after team- or course-",
        )
