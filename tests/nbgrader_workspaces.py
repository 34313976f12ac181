"""Workspaces of one real web process, as nbgrader sees them: an environment and a home each."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from atelier_nbgrader.config import configure
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeFactory
from traitlets.config import Config

from tests.exchange_stand import Stand


@dataclass
class Workspace:
    """One account's workspace: `environ` is what a spawner would set."""

    home: Path
    environ: dict[str, str]

    @property
    def account(self) -> str:
        return self.environ["ATELIER_ACCOUNT"]

    @property
    def config(self) -> Config:
        config = Config()
        configure(config, self.environ)
        return config

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        with mock.patch.dict(os.environ, self.environ):
            yield

    def run(self, verb: str, course: str, assignment: str, **traits: Any) -> Any:
        """Run a verb of the exchange; returns the plug-in. `traits` are set on it before it starts."""
        config = self.config
        config.CourseDirectory.course_id = course
        config.CourseDirectory.assignment_id = assignment
        make = getattr(ExchangeFactory(config=config), verb)
        plugin = make(
            coursedir=CourseDirectory(config=config),
            authenticator=Authenticator(config=config),
            config=config,
        )
        for name, value in traits.items():
            setattr(plugin, name, value)
        with self.entered():
            plugin.answer = plugin.start()
        return plugin


def make_workspace(stand: Stand, role: str, home: Path, slug: str = "geo-8a") -> Workspace:
    """The workspace of a role of `exchange_stand`, with a home of its own."""
    account = stand.accounts[role]
    kind = account.split("-")[0] if "-" in account else "personal"
    home.mkdir(parents=True, exist_ok=True)
    environ = {
        "ATELIER_SERVICE_URL": stand.url,
        "ATELIER_KIND": kind,
        "ATELIER_ACCOUNT": account,
        "ATELIER_LANGUAGE": "en",
        "ATELIER_ZONE": "Europe/Sofia",
        "JUPYTERHUB_API_TOKEN": stand.tokens[role],
        "HOME": str(home),
        "PATH": own_path(),
    }
    if kind == "course":
        environ["ATELIER_COURSE"] = slug
    return Workspace(home, environ)


def make_mate(stand: Stand, folder: Path) -> Workspace:
    """Return the workspace of a second student."""
    account = stand.people["mate"].id
    stand.accounts["mate"] = account
    stand.tokens["mate"] = stand.hub.add_workspace(account)
    return make_workspace(stand, "mate", folder / "mate")


def own_path() -> str:
    """PATH with this interpreter's programs first: nbgrader starts `alembic` by its bare name."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
