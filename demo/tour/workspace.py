"""A workspace as its owner's browser uses it: started through the hub, then Jupyter's REST and websocket."""

import json
import time
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import websocket

from demo.tour.browser import TourFailure, check_answer
from demo.tour.people import Person

START_WITHIN_S = 120
KERNEL_WITHIN_S = 120


class Workspace:
    """The workspace of `account`, opened by `person`; ``with`` starts it and stops it again."""

    def __init__(self, person: Person, account: str) -> None:
        self.person = person
        self.account = account
        port = person.house.ports.public
        self.host = f"{account}.atelier.localhost:{port}"
        self.url = f"http://{self.host}/user/{account}/"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(TourFailure, httpx.HTTPError):
            self.stop()

    # ------------------------------------------------ the server
    def start(self) -> None:
        """Click on the link of My work and wait as the hub's page does. Raises TourFailure."""
        deadline = time.monotonic() + START_WITHIN_S
        place = self._ask_to_start(deadline)
        while not place.startswith(self.url):
            if time.monotonic() > deadline:
                raise TourFailure(f"the workspace {self.account} is not there: the browser is at {place}")
            time.sleep(0.2)
            place = self._open("spawn-pending")

    def _ask_to_start(self, deadline: float) -> str:
        """Open the hub's spawn page; until the steward has granted access there is none."""
        while True:
            try:
                return self._open("spawn")
            except TourFailure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _open(self, page: str) -> str:
        return str(self.person.open(f"{self.person.house.public_url}/hub/{page}/{self.account}").url)

    def stop(self) -> None:
        """Stop the server through the hub, as its owner may, and wait until it has ended."""
        url = f"{self.person.house.public_url}/hub/api/users/{self.account}/server"
        deadline = time.monotonic() + START_WITHIN_S
        while self._delete(url).status_code == 202 and time.monotonic() < deadline:
            time.sleep(0.2)

    def _delete(self, url: str) -> httpx.Response:
        headers = {"X-XSRFToken": self._find_xsrf("atelier.localhost"), "Referer": url}
        return check_answer(self.person.http.delete(url, headers=headers))

    # ------------------------------------------------ requests
    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as Lab's page does; the caller looks at the status."""
        headers = {
            "X-XSRFToken": self._find_xsrf(self.host.partition(":")[0]),
            "Referer": f"{self.url}lab",
            "Origin": f"http://{self.host}",
            "Accept": "application/json",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "same-origin",
        }
        return self.person.http.request(method, f"{self.url}{path}", headers=headers, **options)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the JSON of its answer. Raises TourFailure unless it is 2xx."""
        answer = check_answer(self.request(method, path, json=body))
        return answer.json() if answer.content else None

    def _find_xsrf(self, host: str) -> str:
        cookies = self.person.http.cookies.jar
        found = [c.value for c in cookies if c.name == "_xsrf" and c.domain == host and c.value]
        return found[-1] if found else ""

    # ------------------------------------------------ files
    def read_notebook(self, path: str) -> dict[str, Any]:
        """Return a notebook through Jupyter's contents API."""
        notebook: dict[str, Any] = self.call("GET", f"api/contents/{quote(path)}?type=notebook")["content"]
        return notebook

    def write_notebook(self, path: str, notebook: dict[str, Any]) -> None:
        """Save a notebook as Lab does."""
        body = {"type": "notebook", "format": "json", "content": notebook}
        self.call("PUT", f"api/contents/{quote(path)}", body)

    def write_text(self, path: str, text: str) -> None:
        """Save a text file, whatever its name says that it is."""
        self.call("PUT", f"api/contents/{quote(path)}", {"type": "file", "format": "text", "content": text})

    def list_files(self, path: str) -> list[str]:
        """Return the names in a folder; [] when there is no such folder."""
        answer = self.request("GET", f"api/contents/{quote(path)}?type=directory")
        return [entry["name"] for entry in answer.json()["content"]] if answer.is_success else []

    # ------------------------------------------------ the Atelier sidebar
    def list_assignments(self) -> dict[str, dict[str, Any]]:
        """Return name → assignment as the sidebar shows them."""
        overview = self.call("GET", "atelier/assignments")
        return {a["name"]: a for course in overview["courses"] for a in course["assignments"]}

    def fetch(self, course: str, assignment: str) -> Any:
        """Press Fetch."""
        return self.call("POST", "atelier/fetch", {"course": course, "assignment": assignment})

    def submit(self, course: str, assignment: str) -> dict[str, Any]:
        """Press Submit; returns the receipt."""
        receipt: dict[str, Any] = self.call(
            "POST", "atelier/submit", {"course": course, "assignment": assignment}
        )
        return receipt

    # ------------------------------------------------ a kernel
    def run_code(self, code: str) -> str:
        """Run code in a fresh kernel and return what it printed. Raises TourFailure on an error in it."""
        kernel = self.call("POST", "api/kernels", {"name": "python3"})["id"]
        try:
            with self._connect(kernel) as socket:
                return _execute(socket, code)
        finally:
            self.request("DELETE", f"api/kernels/{kernel}")

    def _connect(self, kernel: str) -> "_Socket":
        cookies = self.person.http.cookies.jar
        host = self.host.partition(":")[0]
        header = "; ".join(f"{c.name}={c.value}" for c in cookies if c.domain == host)
        path = f"/user/{self.account}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        socket = websocket.create_connection(
            f"ws://127.0.0.1:{self.person.house.ports.public}{path}",
            host=self.host,
            origin=f"http://{self.host}",
            cookie=header,
            timeout=KERNEL_WITHIN_S,
        )
        return _Socket(socket)


class _Socket:
    """A kernel's websocket that closes itself."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def _execute(connection: _Socket, code: str) -> str:
    message = uuid.uuid4().hex
    header = {
        "msg_id": message,
        "msg_type": "execute_request",
        "username": "",
        "session": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    connection.socket.send(
        json.dumps(
            {
                "header": header,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
                "buffers": [],
            }
        )
    )
    printed: list[str] = []
    while True:
        answer = json.loads(connection.socket.recv())
        if answer["parent_header"].get("msg_id") != message:
            continue
        kind, said = answer["msg_type"], answer["content"]
        if kind == "stream":
            printed.append(said["text"])
        elif kind == "error":
            raise TourFailure(f"code in the kernel failed: {said['ename']}: {said['evalue']}")
        elif kind == "status" and said["execution_state"] == "idle":
            return "".join(printed)
