"""A real front server before a stand-in for the proxy, which tells what reached it: no hub, no service."""

import http.client
import json
import os
import pwd
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demo.ports import list_free_ports
from demo.processes import Process, Recipe
from front.certificate import make_certificate
from front.render import render
from front.settings import FrontSettings
from front.trial import find_nginx
from tests.front_stack import check_nginx
from tests.waiting import wait_until

HOST = "atelier.localhost"
LARGE_TEXT = b'{"text": "' + b"Atelier " * 2000 + b'"}'


# What a student's own server might tell nginx and browsers to do.
COMMANDS = {"X-Accel-Redirect": "/away-bg.html", "X-Accel-Limit-Rate": "1", "Clear-Site-Data": '"*"'}


class Behind(ThreadingHTTPServer):
    """The stand-in: answers every address, and lets a test decide when a stream goes on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.go_on = threading.Event()
        self.first_bytes = threading.Event()
        self.received = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Behind

    def do_GET(self) -> None:
        if self.path.endswith("/progress"):
            self._stream()
        elif "as=html" in self.path:
            self._answer("text/html", b"<p>" + LARGE_TEXT)
        elif "commanding" in self.path:
            self._answer("text/html", b"its own page", COMMANDS)
        elif "large" in self.path:
            self._answer("application/json", LARGE_TEXT)
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer("application/json", json.dumps({"path": self.path, "headers": headers}).encode())

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        while self.server.received < length:
            piece = self.rfile.read1(65536)
            if not piece:
                return
            self.server.received += len(piece)
            self.server.first_bytes.set()
        self._answer("application/json", b"{}")

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for word in (b"data: one\n\n", b"data: two\n\n"):
            self.wfile.write(word)
            self.wfile.flush()
            self.server.go_on.wait(10)

    def _answer(self, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@dataclass
class Answer:
    """What a browser would see."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class FrontAlone:
    """The running front and how to speak to it."""

    settings: FrontSettings
    behind: Behind
    context: ssl.SSLContext
    log: Path
    _open: list[http.client.HTTPConnection] = field(default_factory=list)

    def connect(self, host: str = HOST, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        """Open a connection under a name; the certificate must be right for it."""
        plain = socket.create_connection(("127.0.0.1", self.settings.front_https_port), timeout=20)
        connection = http.client.HTTPConnection(host, self.settings.front_https_port)
        connection.sock = (context or self.context).wrap_socket(plain, server_hostname=host)
        self._open.append(connection)
        return connection

    def ask(self, path: str, host: str = HOST, method: str = "GET", **headers: str) -> Answer:
        """Send one request; underscores in header names are dashes."""
        connection = self.connect(host)
        connection.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())

    def read_log(self) -> list[dict[str, Any]]:
        """Return the access log's lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def run_front_alone(folder: Path, **changes: Any) -> Iterator[FrontAlone]:
    """Run nginx with the real configuration in front of a stand-in. `changes`: settings."""
    check_nginx()
    certificate = make_certificate(folder / "certificate", HOST, datetime.now(UTC))
    behind = Behind()
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    https_port, http_port = list_free_ports(2)
    values: dict[str, Any] = {
        "public_url": f"https://{HOST}:{https_port}",
        "front_address": "127.0.0.1",
        "front_https_port": https_port,
        "front_http_port": http_port,
        "front_proxy": f"127.0.0.1:{behind.server_port}",
        "front_certificate": certificate.certificate,
        "front_certificate_key": certificate.key,
        "front_static_dir": folder / "static",
        "front_run_dir": folder / "run",
        "front_user": pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None,
    }
    settings = FrontSettings(**(values | changes))
    (folder / "run").mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(render(settings))
    recipe = Recipe("front", [find_nginx(), "-c", str(configuration), "-e", "stderr"], {}, folder)
    process = Process(recipe, folder / "front.log")
    front = FrontAlone(
        settings, behind, ssl.create_default_context(cafile=str(certificate.authority)), folder / "front.log"
    )
    try:
        wait_until(lambda: _listens(process, https_port), 10, "nginx does not listen")
        yield front
    finally:
        behind.go_on.set()
        for connection in front._open:
            connection.close()
        process.end(5)
        behind.shutdown()
        behind.server_close()


def _listens(process: Process, port: int) -> bool:
    process.check_alive()
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
