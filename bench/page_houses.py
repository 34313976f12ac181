"""The two sides of the measurement: stock JupyterHub with JupyterLab, and Atelier behind its front server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
from playwright.sync_api import Page

from demo.house import REPOSITORY, find_node
from demo.launch import Demo
from demo.ports import LOOPBACK, list_free_ports
from demo.processes import end_all
from front.certificate import find_key_pin
from front.trial import FrontHouse, make_trial, start_front

NOTEBOOK = "bench.ipynb"
HOST = "atelier.test"
STOCK_HOST = "stock.test"
STUDENTS = (
    "aleksandra.angelova@students.school-a.example",
    "andrey.atanasov@students.school-a.example",
)
START_WITHIN_S = 90
# What a school would install beside JupyterLab: not ours, and live editing only where teams work.
NOT_STOCK = ("atelier-lab", "@jupyter/collaboration-extension", "@jupyter/docprovider-extension")
NOT_STOCK_SERVER = ("atelier_lab", "atelier_nbgrader", "jupyter_server_ydoc", "jupyter_server_fileid")


class Side(Protocol):
    """What is measured: a running deployment with two students, each with a notebook in the home."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def chromium_arguments(self) -> Sequence[str]: ...

    def sign_in(self, page: Page, student: int) -> None:
        """Sign a student in as a person does."""

    def notebook_url(self, page: Page, student: int) -> str:
        """Start the student's workspace if it is not up, put the notebook there; its address in Lab."""


def write_notebook(home: Path) -> None:
    """Put a notebook with one line of code and nothing else into a home."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "a1",
        "metadata": {},
        "source": "6 * 7",
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    home.mkdir(parents=True, exist_ok=True)
    (home / NOTEBOOK).write_text(json.dumps(content), encoding="utf-8")


# ---------------------------------------------------------------- Atelier
@dataclass
class Atelier:
    """The demo behind nginx."""

    demo: Demo
    house: FrontHouse
    name: str = "Atelier"
    host: str = HOST

    @property
    def port(self) -> int:
        return self.house.https_port

    @property
    def chromium_arguments(self) -> list[str]:
        assert self.house.certificate is not None
        return [f"--ignore-certificate-errors-spki-list={find_key_pin(self.house.certificate.certificate)}"]

    def sign_in(self, page: Page, student: int) -> None:
        page.goto(f"{self.house.public_url}/hub/login")
        page.click("#sign-in")
        page.click(f'button:has(small:text("{STUDENTS[student]}"))')
        page.wait_for_url(f"{self.house.pages_url}**")

    def notebook_url(self, page: Page, student: int) -> str:
        account = self._find_account(student)
        self._start(account)
        write_notebook(self.house.homes_dir / account)
        return f"https://{account}.{HOST}:{self.port}/user/{account}/lab/tree/{NOTEBOOK}"

    def _find_account(self, student: int) -> str:
        from atelier import roster
        from atelier.store import make_session_factory, open_database

        with make_session_factory(open_database(self.house.database_url))() as session:
            return str(roster.find_person_by_email(session, STUDENTS[student]).id)

    def _start(self, account: str) -> None:
        headers = {"Authorization": f"token {self.house.secrets['steward_hub_token']}"}
        address = f"{self.house.hub_api_url}/users/{account}"
        _start_server(address, headers)


@contextmanager
def run_atelier(folder: Path) -> Iterator[Atelier]:
    """Start Atelier with the demo's people; it ends with the block."""
    demo = Demo(folder, port=0)
    house = make_trial(demo, host=HOST)
    with demo:
        start_front(demo, house)
        yield Atelier(demo, house)


# ---------------------------------------------------------------- stock
@dataclass
class Stock:
    """JupyterHub as it comes: one host, its proxy in front, the same versions of everything."""

    folder: Path
    port: int
    hub_port: int
    token: str
    name: str = "stock"
    host: str = STOCK_HOST
    chromium_arguments: tuple[str, ...] = ()

    def sign_in(self, page: Page, student: int) -> None:
        page.goto(f"http://{STOCK_HOST}:{self.port}/hub/login")
        page.fill("#username_input", f"student-{student}")
        page.fill("#password_input", "any")
        page.click("#login_submit")
        page.wait_for_url("**/hub/home**")

    def notebook_url(self, page: Page, student: int) -> str:
        name = f"student-{student}"
        headers = {"Authorization": f"token {self.token}"}
        _start_server(f"http://{LOOPBACK}:{self.hub_port}/hub/api/users/{name}", headers)
        write_notebook(self.folder / "homes" / name)
        return f"http://{STOCK_HOST}:{self.port}/user/{name}/lab/tree/{NOTEBOOK}"


@contextmanager
def run_stock(folder: Path) -> Iterator[Stock]:
    """Start stock JupyterHub; it ends with the block, its workspaces too."""
    port, proxy_api_port, hub_port = list_free_ports(3)
    stock = Stock(folder, port, hub_port, os.urandom(16).hex())
    folder.mkdir(parents=True)
    config = folder / "jupyterhub_config.py"
    config.write_text(_describe_stock(stock, proxy_api_port), encoding="utf-8")
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(f"http://{LOOPBACK}:{hub_port}/hub/api/", {}, lambda answer: answer.is_success)
        yield stock
    finally:
        end_hub(process)


def _describe_stock(stock: Stock, proxy_api_port: int) -> str:
    """Return JupyterHub's configuration: all that is not default is where things are and who may enter."""
    installed = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    extensions = stock.folder / "labextensions"
    for package in [*installed.glob("[!@]*/package.json"), *installed.glob("@*/*/package.json")]:
        name = package.parent.relative_to(installed).as_posix()
        if name not in NOT_STOCK:
            (extensions / name).parent.mkdir(parents=True, exist_ok=True)
            (extensions / name).symlink_to(package.parent.resolve())
    server = {
        "ServerApp": {"jpserver_extensions": dict.fromkeys(NOT_STOCK_SERVER, False), "allow_root": True},
        "LabApp": {"labextensions_path": [str(extensions)]},
    }
    settings = stock.folder / "settings"
    settings.mkdir()
    (settings / "jupyter_server_config.json").write_text(json.dumps(server), encoding="utf-8")
    proxy = REPOSITORY / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    return f"""
import os
c = get_config()
c.JupyterHub.bind_url = "http://{LOOPBACK}:{stock.port}"
c.JupyterHub.hub_bind_url = "http://{LOOPBACK}:{stock.hub_port}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.services = [{{"name": "bench", "api_token": "{stock.token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "servers", "list:users"]}}
]
c.ConfigurableHTTPProxy.api_url = "http://{LOOPBACK}:{proxy_api_port}"
c.ConfigurableHTTPProxy.command = ["{find_node()}", "{proxy}"]
c.SimpleLocalProcessSpawner.home_dir_template = "{stock.folder}/homes/{{username}}"
c.Spawner.default_url = "/lab"
c.Spawner.environment = {{"JUPYTER_CONFIG_DIR": "{settings}"}}
c.JupyterHub.default_url = "/hub/home"
"""


# ---------------------------------------------------------------- both
def _start_server(user_url: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{user_url}/server", headers=headers, timeout=60)
    if answer.status_code not in (201, 202, 400):
        raise RuntimeError(f"{user_url}/server answered {answer.status_code}: {answer.text}")
    _wait_for(user_url, headers, _is_ready)


def _is_ready(answer: httpx.Response) -> bool:
    return answer.is_success and bool((answer.json()["servers"].get("") or {}).get("ready"))


def _wait_for(url: str, headers: dict[str, str], good: Any) -> None:
    import time

    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if good(httpx.get(url, headers=headers, timeout=10, trust_env=False)):
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{url} is not as it should be after {START_WITHIN_S} s")


def end_hub(process: subprocess.Popen[bytes], within_s: float = 20) -> None:
    """End a hub, and what it had started and left."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
    end_all(family)
