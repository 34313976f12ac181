"""For tests of the Lab extension: a service that speaks the exchange's API from memory, the smallest nbgrader
plug-ins for it, and a real Jupyter server with the extension in it."""

import contextlib
import datetime as dt
import hashlib
import http.cookiejar
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

TOKEN = "workspace-token"
LAB_TOKEN = "lab-token"
COURSE = "geo-8a"
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "a1",
            "metadata": {},
            "source": "1 + 1",
            "outputs": [],
            "execution_count": None,
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def pack(files: dict[str, bytes]) -> bytes:
    """A gzip-compressed tar of `files`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class StandInService:
    """The exchange's API for one account, from memory. `refusal` answers submissions; `down`: nothing."""

    kind: str = "personal"
    display_name: str = "Мария Петрова"
    assignments: dict[str, dict[str, Any]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    feedback: dict[str, bytes] = field(default_factory=dict)
    refusal: tuple[int, str, str] | None = None
    down: bool = False
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    def add_assignment(
        self, name: str, title: str, due_at: str | None = "2030-11-27T21:59:00Z", **more: Any
    ) -> None:
        """A released assignment with one notebook."""
        self.archives[name] = pack({f"{name}.ipynb": json.dumps(NOTEBOOK).encode()})
        self.assignments[name] = {
            "name": name,
            "title": title,
            "kind": "team" if self.kind == "team" else "individual",
            "due_at": due_at,
            "zone": "Europe/Sofia",
            "project": None,
            "release": {"version": 1, "sha256": "0" * 64, "size": 1, "released_at": "2026-11-01T08:00:00Z"},
            "submissions": [],
            "feedback": None,
            "mark": None,
            "state": "open",
        } | more

    def receive(self, name: str, body: bytes) -> dict[str, Any]:
        """Store a submission; its receipt."""
        receipts = self.assignments[name]["submissions"]
        receipt = {
            "id": f"s{len(receipts):011d}",
            "course": COURSE,
            "assignment": name,
            "account": "maria0000000",
            "received_at": dt.datetime(2026, 11, 21, 12, 5, len(receipts), tzinfo=dt.UTC)
            .isoformat()
            .replace("+00:00", "Z"),
            "sha256": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "file_count": 1,
            "late": False,
            "due_at": self.assignments[name]["due_at"],
            "zone": "Europe/Sofia",
        }
        self.archives[receipt["id"]] = body
        receipts.insert(0, receipt)
        self.assignments[name]["state"] = "submitted"
        return receipt

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status, and an object (sent as JSON) or bytes."""
        me = {"account": "maria0000000", "kind": self.kind, "display_name": self.display_name}
        course = {
            "slug": COURSE,
            "title": "География 8А",
            "role": "student",
            "zone": "Europe/Sofia",
            "language": "bg",
        }
        if path == "me":
            return 200, me | {"courses": [course]}
        if path == f"courses/{COURSE}/assignments":
            return 200, list(self.assignments.values())
        if found := re.fullmatch(
            rf"courses/{COURSE}/assignments/([^/]+)/(submissions|releases/latest)", path
        ):
            return self._answer_assignment(method, found[1], found[2], body)
        if found := re.fullmatch(r"submissions/([^/]+)(/archive|/feedback)?", path):
            return self._answer_submission(found[1], found[2])
        return 404, {"error": "not_found", "message": "няма такова нещо"}

    def _answer_assignment(self, method: str, name: str, what: str, body: bytes) -> tuple[int, Any]:
        if what == "releases/latest":
            return 200, self.archives[name]
        if method == "GET":
            return 200, self.assignments[name]["submissions"]
        if self.refusal:
            status, code, message = self.refusal
            return status, {"error": code, "message": message}
        return 201, self.receive(name, body)

    def _answer_submission(self, submission_id: str, what: str | None) -> tuple[int, Any]:
        for assignment in self.assignments.values():
            for receipt in assignment["submissions"]:
                if receipt["id"] == submission_id:
                    files = {"/archive": self.archives, "/feedback": self.feedback}
                    return self._answer_file(files[what], submission_id) if what else (200, receipt)
        return 404, {"error": "not_found", "message": "Няма такова предаване."}

    def _answer_file(self, files: dict[str, bytes], submission_id: str) -> tuple[int, Any]:
        if submission_id in files:
            return 200, files[submission_id]
        return 404, {"error": "not_found", "message": "Още няма обратна връзка."}


def _make_handler(service: StandInService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.removeprefix("/services/atelier/api/v1/")
            service.requests.append((self.command, path, self.headers.get("Accept-Language")))
            if service.down:
                self.close_connection = True
                return
            if self.headers.get("Authorization") != f"token {TOKEN}":
                status, answer = 401, {"error": "no_identity", "message": "no"}
            else:
                status, answer = service.answer(self.command, path, body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serve(service: StandInService) -> Iterator[StandInService]:
    """Serve `service` on a free port; its `url` is set meanwhile."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(service))
    service.url = f"http://127.0.0.1:{server.server_port}/services/atelier"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PLUGINS = '''
"""The smallest nbgrader plug-ins that speak the exchange's API."""
import io, json, os, tarfile, urllib.error, urllib.request
from pathlib import Path
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.abc import ExchangeFetchAssignment, ExchangeFetchFeedback, ExchangeSubmit


def ask(path, body=None):
    url = os.environ["ATELIER_SERVICE_URL"] + "/api/v1/" + path
    token = os.environ["JUPYTERHUB_API_TOKEN"]
    request = urllib.request.Request(url, data=body, headers={"Authorization": "token " + token})
    try:
        return urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as error:
        raise ExchangeError(json.loads(error.read())["message"])


class Plain:
    def start(self):
        self.course, self.name = self.coursedir.course_id, self.coursedir.assignment_id
        self.folder = Path(self.assignment_dir) / self.course / self.name
        self.transfer()


class Fetch(Plain, ExchangeFetchAssignment):
    def transfer(self):
        content = ask(f"courses/{self.course}/assignments/{self.name}/releases/latest")
        tarfile.open(fileobj=io.BytesIO(content)).extractall(self.folder)


class Submit(Plain, ExchangeSubmit):
    def transfer(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path in sorted(self.folder.iterdir()):
                archive.add(path, arcname=path.name, recursive=False)
        ask(f"courses/{self.course}/assignments/{self.name}/submissions", buffer.getvalue())


class Feedback(Plain, ExchangeFetchFeedback):
    def transfer(self):
        newest = json.loads(ask(f"courses/{self.course}/assignments/{self.name}/submissions"))[0]["id"]
        content = ask(f"submissions/{newest}/feedback")
        tarfile.open(fileobj=io.BytesIO(content)).extractall(self.folder / "feedback")
'''

NBGRADER_CONFIG = """
c = get_config()
c.ExchangeFactory.fetch_assignment = "lab_stand_in_plugins.Fetch"
c.ExchangeFactory.submit = "lab_stand_in_plugins.Submit"
c.ExchangeFactory.fetch_feedback = "lab_stand_in_plugins.Feedback"
"""


@dataclass
class Lab:
    """A running Jupyter server. `home` is the folder that Lab shows."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self, path: str, body: object = None, token: str | None = LAB_TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """GET, or POST with a `body`; status and JSON."""
        data = None if body is None else json.dumps(body).encode()
        if token:
            headers["Authorization"] = f"token {token}"
        request = urllib.request.Request(self.url + path, data=data, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            content = error.read()
            return error.code, json.loads(content) if content.startswith(b"{") else content.decode()

    def read_page(self) -> dict[str, Any]:
        """What Lab's page tells the browser."""
        request = urllib.request.Request(f"{self.url}lab", headers={"Authorization": f"token {LAB_TOKEN}"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            text = response.read().decode()
        found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)
        assert found
        page: dict[str, Any] = json.loads(found[1])
        return page

    def sign_in(self) -> str:
        """A browser's session: the cookies of a sign-in with Lab's token, as a Cookie header."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        opener.open(f"{self.url}lab?token={LAB_TOKEN}", timeout=60).close()
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


@contextlib.contextmanager
def start_lab(
    root: Path,
    service_url: str,
    kind: str = "personal",
    language: str = "bg",
    token: str = TOKEN,
    account: str = "maria0000000",
    real_plugins: bool = False,
    arguments: tuple[str, ...] = (),
) -> Iterator[Lab]:
    """Start Lab as a workspace of `kind` below `root`, on a free port and an awkward base URL."""
    home, jupyter = root / "дом на Мария", root / "jupyter"
    home.mkdir(parents=True)
    (jupyter / "config").mkdir(parents=True)
    (jupyter / "data").mkdir()
    (jupyter / "plugins").mkdir()
    if not real_plugins:
        (jupyter / "plugins" / "nbgrader_config.py").write_text(NBGRADER_CONFIG)
        (jupyter / "plugins" / "lab_stand_in_plugins.py").write_text(PLUGINS)
    log = root / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_lab_command(), *arguments],
            cwd=home,
            env=_lab_environ(root, service_url) | describe_workspace(kind, language, token, account),
            stdout=output,
            stderr=output,
        )
    try:
        yield Lab(_await_url(process, jupyter / "runtime", log), home, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _lab_command() -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.base_url=/user/maria@x/",
        f"--IdentityProvider.token={LAB_TOKEN}",
    ]  # fmt: skip


def _lab_environ(root: Path, service_url: str) -> dict[str, str]:
    jupyter = root / "jupyter"
    passed = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return passed | {
        "HOME": str(root / "дом на Мария"),
        "PYTHONPATH": str(jupyter / "plugins"),
        "JUPYTER_CONFIG_PATH": str(jupyter / "plugins"),
        "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
        "JUPYTER_DATA_DIR": str(jupyter / "data"),
        "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
        "ATELIER_SERVICE_URL": service_url,
        "ATELIER_PAGES_URL": "http://atelier--service.atelier.localhost/services/atelier/",
        "ATELIER_ZONE": "Europe/Sofia",
    }


def describe_workspace(kind: str, language: str, token: str, account: str) -> dict[str, str]:
    """The variables that differ between workspaces."""
    workspace = {
        "JUPYTERHUB_API_TOKEN": token,
        "JUPYTERHUB_USER": account,
        "ATELIER_KIND": kind,
        "ATELIER_ACCOUNT": account,
        "ATELIER_LANGUAGE": language,
    }
    return workspace | ({"ATELIER_COURSE": COURSE} if kind == "course" else {})


def _await_url(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    def describe() -> str:
        return f"Lab did not start:\n{log.read_text(errors='replace')[-4000:]}"

    def find_url() -> str | None:
        assert process.poll() is None, describe()
        for info in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError, KeyError, OSError):
                url: str = json.loads(info.read_text())["url"]
                urllib.request.urlopen(url + "api", timeout=5).close()  # noqa: S310
                return url
        return None

    return wait_until(find_url, 60, describe)
