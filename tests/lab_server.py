"""A workspace's server as the hub starts it, beside the smallest hub that can say who somebody is."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from demo.ports import list_free_ports
from tests.lab_stand_in import COURSE
from tests.waiting import wait_until

ACCOUNT = "maria0000000"
ANSWER_WITHIN_S = 30
ENDS_WITHIN_S = 60
STARTED = "atelier_lab.start.server"
ACCESS = f"access:servers!server={ACCOUNT}/"
# Whose token may what: the account's own, and one of somebody who may not come in.
SCOPES = {"own": [ACCESS], "stranger": ["read:users:name!user=eve"]}
REPORTER = '''
"""Says what the server has imported."""
import json, os, sys
import zmq
from jupyter_server.base.handlers import APIHandler
from tornado import web


class Modules(APIHandler):
    @web.authenticated
    def get(self):
        with self.kernel_manager.context.socket(zmq.SUB) as heard:
            ms = heard.getsockopt(zmq.RECONNECT_IVL)
        modules = sorted(sys.modules)
        self.finish(json.dumps({"modules": modules, "environment": dict(os.environ), "reconnect_ms": ms}))


def _load_jupyter_server_extension(app):
    app.web_app.add_handlers(".*$", [(app.base_url + "modules", Modules)])
'''


class HubHandler(BaseHTTPRequestHandler):
    """The hub's API for one server."""

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("token ")
        who = {"name": ACCOUNT, "admin": False, "groups": [], "kind": "user", "scopes": SCOPES.get(token, [])}
        if "/api/v1/" in self.path:  # the service's; nothing is released
            self.answer(200, [])
        else:
            self.answer(200, {"version": "6.1.1"} if self.path.endswith("/api") else who)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, {})

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@dataclass
class Server:
    """A running server. `home` is the account's."""

    url: str
    home: Path
    log: Path
    pid: int

    def ask(self, path: str, body: object = None, method: str | None = None, whose: str = "own") -> Any:
        """Return the answer: JSON, else text. Raises urllib's HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {whose}"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            content = response.read().decode()
        return json.loads(content) if content.startswith(("{", "[")) else content

    def status(self, path: str, whose: str = "own") -> int:
        try:
            self.ask(path, whose=whose)
        except urllib.error.HTTPError as error:
            return error.code
        return 200

    def list_modules(self) -> set[str]:
        """Return the names of all that the server has imported by now."""
        return set(self.ask("modules")["modules"])

    def start_kernel(self) -> str:
        """Open a session as a notebook does. Returns the kernel's id."""
        wanted = {"path": "a.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        kernel: str = self.ask("api/sessions", wanted)["kernel"]["id"]
        return kernel

    async def connect(self, kernel: str) -> "Cells":
        address = (
            f"{self.url.replace('http:', 'ws:')}api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        )
        return Cells(await websocket_connect(HTTPRequest(address, headers={"Authorization": "token own"})))


@dataclass
class Cells:
    """A notebook's connection to its kernel."""

    socket: WebSocketClientConnection
    sent: int = 0
    # What came before it was asked for: replies of two channels overtake each other.
    received: list[dict[str, Any]] = field(default_factory=list)

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        self.sent += 1
        name = f"m{self.sent}"
        header = {"msg_id": name, "msg_type": kind, "username": "", "session": "s", "version": "5.3"}
        header["date"] = "2026-11-21T12:00:00Z"
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.write_message(json.dumps(message | {"channel": channel, "buffers": []}))
        return name

    async def receive(self, *kinds: str, of: str = "") -> dict[str, Any]:
        """Return the content of the next message of these kinds (that answers `of`)."""
        async with asyncio.timeout(ANSWER_WITHIN_S):
            while not (found := self._find(kinds, of)):
                message = json.loads(await self.socket.read_message() or "null")
                assert message, f"no {kinds}: the connection ended"
                self.received.append(message)
        self.received.remove(found)
        content: dict[str, Any] = found["content"]
        return content

    def _find(self, kinds: tuple[str, ...], of: str) -> dict[str, Any] | None:
        for message in self.received:
            if message["msg_type"] in kinds and of in ("", message["parent_header"].get("msg_id")):
                return message
        return None

    def run(self, code: str) -> str:
        return self.send("execute_request", {"code": code, "silent": False, "store_history": True})

    async def say(self, code: str) -> str:
        """Run a cell. Returns what it printed, or its error."""
        content = await self.receive("stream", "error", of=self.run(code))
        return str(content.get("text", content.get("evalue"))).strip()

    async def debug(self, command: str, **arguments: Any) -> dict[str, Any]:
        request = {"type": "request", "seq": self.sent, "command": command, "arguments": arguments}
        return await self.receive("debug_reply", of=self.send("debug_request", request, "control"))


@contextlib.contextmanager
def start_server(
    root: Path, kind: str = "personal", module: str = STARTED, arguments: tuple[str, ...] = ()
) -> Iterator[Server]:
    """Start a workspace's server of `kind` below `root` with the hub's command (or another `module`)."""
    home, plugins = root / "home", root / "plugins"
    (plugins / "jupyter_server_config.d").mkdir(parents=True)
    (home / ".local" / "share" / "atelier").mkdir(parents=True)
    (plugins / "reporter_of_modules.py").write_text(REPORTER)
    (plugins / "jupyter_server_config.d" / "reporter.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": {"reporter_of_modules": True}}})
    )
    hub = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{list_free_ports(1)[0]}/user/{ACCOUNT}/"
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *_list_arguments(kind), *arguments],
            cwd=home,
            env=_describe_environment(root, kind, address, f"http://127.0.0.1:{hub.server_port}/hub/api"),
            stdout=log,
            stderr=log,
        )
    try:
        server = Server(address, home, root / "log", process.pid)
        wait_until(lambda: _answers(server, process), 60, lambda: server.log.read_text()[-4000:])
        yield server
    finally:
        try:
            end_server(process, root / "log")
        finally:
            hub.shutdown()
            hub.server_close()


def end_server(process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask a server to end. One that does not is killed, and fails the test with its log."""
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"the server did not end: {log.read_text()[-4000:]}") from late
    finally:
        process.kill()
        process.wait()


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, server.log.read_text()[-4000:]
    try:
        return bool(server.ask("api"))
    except OSError:
        return False


def _list_arguments(kind: str) -> list[str]:
    root = ["--ServerApp.allow_root=True"] if os.geteuid() == 0 else []
    root.append("--ServerApp.contents_manager_class=atelier_lab.contents.HomeContents")
    return [*root, *([] if kind == "team" else ["--YDocExtension.disable_rtc=True"])]


def _describe_environment(root: Path, kind: str, address: str, hub: str) -> dict[str, str]:
    passed = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    environment = {
        "HOME": str(root / "home"),
        "PYTHONPATH": str(root / "plugins"),
        "JUPYTER_CONFIG_PATH": str(root / "plugins"),
        "JUPYTERHUB_API_TOKEN": "own",
        "JUPYTERHUB_API_URL": hub,
        "JUPYTERHUB_ACTIVITY_URL": f"{hub}/users/{ACCOUNT}/activity",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{ACCOUNT}",
        "JUPYTERHUB_USER": ACCOUNT,
        "JUPYTERHUB_SERVICE_URL": address,
        "JUPYTERHUB_SERVICE_PREFIX": f"/user/{ACCOUNT}/",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"/user/{ACCOUNT}/oauth_callback",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([ACCESS]),
        "JUPYTERHUB_OAUTH_SCOPES": json.dumps([ACCESS]),
        "JUPYTERHUB_BASE_URL": "/",
        "ATELIER_KIND": kind,
        "ATELIER_ACCOUNT": ACCOUNT,
        "ATELIER_LANGUAGE": "bg",
        "ATELIER_ZONE": "Europe/Sofia",
        "ATELIER_SERVICE_URL": hub,
        "ATELIER_PAGES_URL": "http://pages.example/",
        "ATELIER_INTERNET": "off",
    }
    return passed | environment | ({"ATELIER_COURSE": COURSE} if kind == "course" else {})
