"""The class at the bell: thirty browsers without screens, in a process of their own.

``python -m bench.bell_class`` reads what to do as JSON from its first line (`Lesson`), signs everybody in,
says "ready", waits for a second line (the bell), lets all press start at the same moment and prints what came
of it as JSON. Apart from the measured system, so that the class's own processor time can be told from it.

Each student does what a browser does: follow the way to the workspace, wait on the progress page, open Lab's
page, ask for a kernel, and run ``6 * 7`` in it over its websocket.
"""

import json
import re
import resource
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import urljoin, urlsplit

import httpx
import websocket

from demo.ports import LOOPBACK
from tests.atelier_stack import Browser, find_form, list_choices

WITHIN_S = 300.0
STEPS = ("ready", "page", "kernel", "output")


@dataclass(frozen=True)
class Lesson:
    """Who presses start where. `students`: what each signs in with; `stock`: on JupyterHub's own page.

    `kernel_after_s`: how long after Lab's page a student asks for a kernel.
    """

    public_url: str
    stock: bool
    students: list[str]
    accounts: list[str]
    kernel_after_s: float = 0.0


@dataclass
class Start:
    """One student's start: seconds from the bell to each of `STEPS`, or what went wrong."""

    account: str
    at_s: dict[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Result:
    """All starts, and the seconds of processor time that the class itself took from the bell on."""

    starts: list[Start]
    own_cpu_s: float


class Student:
    """A browser that is signed in."""

    def __init__(self, lesson: Lesson, email: str, account: str) -> None:
        self._lesson = lesson
        self._email = email
        self._account = account
        self._browser = Browser()
        self._browser.timeout = httpx.Timeout(WITHIN_S)

    def sign_in(self) -> None:
        """Sign in as a person does; the browser holds the hub's cookies then."""
        if self._lesson.stock:
            page = self._browser.get(f"{self._lesson.public_url}/hub/login")
            token = self._browser.cookies.get("_xsrf", path="/hub/")
            page = self._browser.post(
                page.url, data={"username": self._account, "password": "any", "_xsrf": token or ""}
            )
        else:
            chooser = self._browser.get(f"{self._lesson.public_url}/hub/oauth_login")
            account = next(c.account for c in list_choices(chooser) if c.email == self._email)
            page = self._browser.post_form(chooser, find_form(chooser, "choose"), {"account": account})
        if page.status_code != 200:
            raise RuntimeError(f"{self._account} cannot sign in: {page.status_code} {page.url}")

    def press_start(self, since_s: float) -> Start:
        """Start the workspace and run a cell. Errors are in what is returned."""
        start = Start(self._account)

        def passed(step: str) -> None:
            start.at_s[step] = time.monotonic() - since_s

        try:
            self._run_a_cell(passed)
        except Exception:  # noqa: BLE001 - whatever it is, the table says it
            start.error = traceback.format_exc()
        return start

    def _run_a_cell(self, passed: Callable[[str], None]) -> None:
        page = self._open_workspace()
        passed("ready")
        if page.status_code != 200 or "jupyter-config-data" not in page.text:
            raise RuntimeError(f"no Lab at {page.url}: {page.status_code} {page.text[:500]}")
        passed("page")
        time.sleep(self._lesson.kernel_after_s)
        base = f"{page.url.scheme}://{page.url.netloc.decode()}/user/{self._account}"
        kernel = self._start_kernel(base)
        passed("kernel")
        self._run(base, kernel)
        passed("output")

    def _open_workspace(self) -> httpx.Response:
        """Return Lab's page; the progress page in between is followed as its script does."""
        path = f"/hub/spawn/{self._account}"
        if not self._lesson.stock:
            path = f"{path}?next=/user/{self._account}/lab"  # as on My work: atelier.pages.links
        page = self._browser.get(f"{self._lesson.public_url}{path}")
        for _ in range(5):
            if "/spawn-pending/" not in page.url.path:
                return page
            self._wait_on_progress(page)
            page = self._browser.get(page.url)
        return page

    def _wait_on_progress(self, page: httpx.Response) -> None:
        """Listen to what the progress page listens to, until the workspace is ready."""
        found = re.findall(r"new EventSource\((\".*?\")\)", page.text)
        if not found:
            raise RuntimeError(f"{self._account}: no progress, {page.status_code}: {page.text[-2000:]}")
        address = urljoin(self._lesson.public_url, json.loads(found[0]))
        headers = {"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"}
        with self._browser.stream("GET", address, headers=headers) as events:
            for line in events.iter_lines():
                event = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if event.get("ready"):
                    return
                if event.get("failed"):
                    raise RuntimeError(f"{self._account}: the hub says {event.get('message')}")
            raise RuntimeError(f"{self._account}: no progress, {events.status_code}")

    def _start_kernel(self, base: str) -> str:
        token = self._find_workspace_token(base)
        body = {"name": "bell", "path": "bell.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
        headers = {"X-XSRFToken": token, "Sec-Fetch-Mode": "cors", "Referer": f"{base}/lab"}
        answer = self._browser.post(f"{base}/api/sessions", json=body, headers=headers)
        if answer.status_code != 201:
            raise RuntimeError(f"no kernel: {answer.status_code} {answer.text[:500]}")
        return str(answer.json()["kernel"]["id"])

    def _find_workspace_token(self, base: str) -> str:
        path = f"{urlsplit(base).path}/"
        return next(c.value or "" for c in self._browser.cookies.jar if c.name == "_xsrf" and c.path == path)

    def _run(self, base: str, kernel: str) -> None:
        """Run ``6 * 7``; return when its answer is there. Raises RuntimeError when it is not 42."""
        session, parts = uuid.uuid4().hex, urlsplit(base)
        address = f"ws://{parts.netloc}{parts.path}/api/kernels/{kernel}/channels?session_id={session}"
        connection = websocket.create_connection(
            address,
            timeout=WITHIN_S,
            cookie=self._list_cookies(base),
            origin=f"{parts.scheme}://{parts.netloc}",
            sockopt=(),
            socket=_connect(parts.port or 80),
        )
        try:
            connection.send(json.dumps(_describe_request(session)))
            found = ""
            while True:
                message = json.loads(connection.recv())
                if message["parent_header"].get("msg_id") != session:
                    continue
                if message["msg_type"] == "execute_result":
                    found = message["content"]["data"]["text/plain"]
                if message["msg_type"] == "execute_reply":
                    break
            while not found:
                message = json.loads(connection.recv())
                if message["msg_type"] == "execute_result":
                    found = message["content"]["data"]["text/plain"]
        finally:
            connection.close()
        if found != "42":
            raise RuntimeError(f"6 * 7 is {found!r}")

    def _list_cookies(self, base: str) -> str:
        request = self._browser.build_request("GET", f"{base}/api")
        return str(request.headers.get("Cookie", ""))


def _connect(port: int) -> Any:
    import socket

    return socket.create_connection((LOOPBACK, port), timeout=WITHIN_S)


def _describe_request(message_id: str) -> dict[str, Any]:
    header = {
        "msg_id": message_id,
        "msg_type": "execute_request",
        "session": message_id,
        "username": "",
        "version": "5.4",
        "date": datetime.now(UTC).isoformat(),
    }
    content = {"code": "6 * 7", "silent": False, "store_history": True, "user_expressions": {}}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": {**content, "allow_stdin": False, "stop_on_error": True},
        "channel": "shell",
        "buffers": [],
    }


def read_own_cpu_s() -> float:
    """Processor time of this process so far, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def wait_for_the_bell(said: TextIO) -> None:
    """Return when the bench rings. Exits when it has ended instead: nobody may load a house then."""
    if not said.readline().endswith("\n"):
        sys.exit("the bench ended before the bell; nobody has pressed start")


def main() -> int:
    """Sign in, wait for the bell, start. Returns 0 when everybody ran a cell."""
    lesson = Lesson(**json.loads(sys.stdin.readline()))
    students = [Student(lesson, *who) for who in zip(lesson.students, lesson.accounts, strict=True)]
    for student in students:
        student.sign_in()
    print("ready", flush=True)
    with ThreadPoolExecutor(len(students)) as pool:
        gate = threading.Barrier(len(students))
        wait_for_the_bell(sys.stdin)
        before_s, since_s = read_own_cpu_s(), time.monotonic()

        def press(student: Student) -> Start:
            gate.wait()
            return student.press_start(since_s)

        starts = list(pool.map(press, students))
    result = Result(starts, read_own_cpu_s() - before_s)
    print(json.dumps(asdict(result)), flush=True)
    return int(any(start.error for start in starts))


if __name__ == "__main__":
    sys.exit(main())
