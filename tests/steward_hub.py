"""A real JupyterHub for the steward's tests: dummy sign-in, no proxy, and a tiny server as the workspace.

What is tested is the hub's REST API and the steward; the workspace only has to be a process that answers and
can be stopped. The real configuration is used by the tests of the whole walk.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.ports import list_free_ports
from tests.waiting import wait_until

TOKEN = "steward-token-of-this-test-only-0123456789"
ADMIN_TOKEN = "admin-token-of-this-test-only-0123456789"
HOMELESS = "k3homeless11"  # its starts end as those of the real spawner whose homes are full
START_TIMEOUT_S = 60.0
WORKSPACE = """
import http.server, os, urllib.parse
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("X-JupyterHub-Version", "6.1.1"); self.end_headers()
    def log_message(self, *args): pass
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((url.hostname, url.port), Answer).serve_forever()
"""
CONFIG = """
import sys
from hub_config.rights import STEWARD_SCOPES
from jupyterhub.proxy import Proxy
from tornado.web import HTTPError

def refuse_homeless(spawner):
    if spawner.user.name == "{homeless}":
        raise HTTPError(503, "cannot start: no user number is left")

class NoProxy(Proxy):
    should_start = False
    routes = {}
    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}
    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)
    async def get_all_routes(self):
        return dict(self.routes)

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = "test"
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = [sys.executable, "{workspace}"]
c.Spawner.pre_spawn_hook = refuse_homeless
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {port}
c.JupyterHub.bind_url = "http://127.0.0.1:{public_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie"
c.JupyterHub.services = [
    {"name": "steward", "api_token": "{token}"},
    {"name": "test-admin", "api_token": "{admin_token}", "admin": True},
]
c.JupyterHub.load_roles = [
    {"name": "steward", "services": ["steward"], "scopes": list(STEWARD_SCOPES)},
]
"""


@dataclass
class SmallHub:
    """A running hub. `api` is its REST API's address."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/hub/api"

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with its log when it does not."""
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(self.folder / "config.py")],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        wait_until(self._answers, START_TIMEOUT_S, lambda: f"the hub did not start:\n{self.log()}")

    def stop(self) -> None:
        """End the hub and its workspaces."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def empty_database(self) -> None:
        for file in self.folder.glob("hub.sqlite*"):
            file.unlink()

    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")[-6000:]

    def ask(self, method: str, path: str, json: object = None) -> httpx.Response:
        """Ask the hub as its administrator, which the tests look through."""
        headers = {"Authorization": f"token {ADMIN_TOKEN}"}
        url = f"{self.api}/{path}"
        return httpx.request(method, url, headers=headers, timeout=30, trust_env=False, json=json)

    def names(self) -> set[str]:
        return {user["name"] for user in self.ask("GET", "users").json()}

    def remove_all_accounts(self) -> None:
        for name in self.names():
            self.ask("DELETE", f"users/{name}")

    def people_of(self, owner: str) -> set[str]:
        """Who may open `owner`'s workspace."""
        items = self.ask("GET", f"shares/{owner}").json().get("items", [])
        return {share["user"]["name"] for share in items}

    def start_workspace(self, name: str) -> None:
        self.ask("POST", f"users/{name}/server")
        wait_until(lambda: self.is_running(name), 30, lambda: f"{name} did not start:\n{self.log()}")

    def is_running(self, name: str) -> bool:
        servers = self.ask("GET", f"users/{name}").json().get("servers", {})
        return bool(servers.get("", {}).get("ready"))

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the hub ended:\n{self.log()}"
        try:
            return httpx.get(self.api, timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def run_hub(folder: Path) -> Iterator[SmallHub]:
    """Run a hub in `folder` until the block ends. Its log is printed when the block raises."""
    port, public_port = list_free_ports(2)
    workspace = folder / "workspace.py"
    workspace.write_text(WORKSPACE)
    values = {
        "folder": folder,
        "port": port,
        "public_port": public_port,
        "workspace": workspace,
        "token": TOKEN,
        "admin_token": ADMIN_TOKEN,
        "homeless": HOMELESS,
    }
    config = CONFIG
    for name, value in values.items():
        config = config.replace(f"{{{name}}}", str(value))
    (folder / "config.py").write_text(config)
    hub = SmallHub(folder, port)
    try:
        hub.start()
        yield hub
    except BaseException:
        print(hub.log())  # noqa: T201
        raise
    finally:
        hub.stop()
