"""A notebook as a browser runs it: a kernel behind the proxy, with its owner's own session and cookies."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import websocket

from tests.atelier_stack import Browser, Stack

MOST_OUTPUT = 20_000_000


class KernelGone(Exception):
    """The kernel ended in the middle of a cell."""


@dataclass
class Notebook:
    """One kernel of an account's workspace and the connection to it."""

    stack: Stack
    account: str
    browser: Browser
    kernel: str = ""
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    _socket: Any = None

    @classmethod
    def open(cls, stack: Stack, account: str, browser: Browser) -> Self:
        """Open the workspace in a signed-in browser and start a kernel in it."""
        notebook = cls(stack, account, browser)
        page = browser.get(f"{notebook.base}lab")
        assert page.status_code == 200, f"{page.status_code} {page.text[:500]}"
        answer = browser.post(
            f"{notebook.base}api/kernels", headers=notebook._headers, json={"name": "python3"}
        )
        assert answer.status_code == 201, answer.text
        notebook.kernel = answer.json()["id"]
        notebook._connect()
        return notebook

    @property
    def base(self) -> str:
        return self.stack.account_url(self.account)

    @property
    def _host(self) -> str:
        return urlsplit(self.base).netloc

    @property
    def _headers(self) -> dict[str, str]:
        name = self._host.partition(":")[0]
        token = next(
            c.value for c in self.browser.cookies.jar if c.name == "_xsrf" and c.domain == name and c.value
        )
        return {"X-XSRFToken": token, "Sec-Fetch-Mode": "cors"}

    def _connect(self) -> None:
        name, _, port = self._host.partition(":")
        mine = (c for c in self.browser.cookies.jar if name == c.domain)
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/user/{self.account}/api/kernels/{self.kernel}/channels?session_id={self.session}",
            host=self._host,
            origin=f"http://{self._host}",
            cookie="; ".join(f"{c.name}={c.value}" for c in mine),
            timeout=60,
            http_no_proxy=["*"],
        )

    def run(self, code: str, within_s: float = 120) -> str:
        """Run a cell; return what it printed, with the text of its error. Raises KernelGone."""
        sent = uuid.uuid4().hex
        header = {
            "msg_id": sent,
            "msg_type": "execute_request",
            "session": self.session,
            "username": "",
            "version": "5.3",
            "date": "2026-01-01T00:00:00Z",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        request = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        self._socket.send(json.dumps(request))
        return "".join(self._list_output(sent, time.monotonic() + within_s))

    def _list_output(self, sent: str, deadline: float) -> Iterator[str]:
        """Yield what belongs to a cell until it has been answered and its kernel is idle."""
        waiting, size = {"execute_reply", "idle"}, 0
        while waiting:
            self._socket.settimeout(max(0.1, deadline - time.monotonic()))
            message = json.loads(self._socket.recv())
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] in ("restarting", "dead"):
                raise KernelGone(content["execution_state"])
            if message["parent_header"].get("msg_id") != sent:
                continue
            waiting -= {kind, content.get("execution_state", "")}
            if kind == "stream" and size < MOST_OUTPUT:
                size += len(content["text"])
                yield content["text"]
            elif kind == "error":
                yield "\n".join(["", *content["traceback"]])

    def close(self) -> None:
        """End the kernel."""
        self._socket.close()
        self.browser.delete(f"{self.base}api/kernels/{self.kernel}", headers=self._headers)


@contextmanager
def open_notebook(stack: Stack, account: str, email: str) -> Iterator[Notebook]:
    """A notebook of somebody's in an account's workspace, which runs already."""
    notebook = Notebook.open(stack, account, stack.sign_in(email))
    try:
        yield notebook
    finally:
        notebook.close()
