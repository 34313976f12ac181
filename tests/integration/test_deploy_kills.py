"""Each process is killed (-9) during a lesson and started again: work goes on, nobody signs in again, nothing
that was acknowledged is lost, and each is back within 15 s. Then all at once, as in a power cut.

Service and hub keep their databases in PostgreSQL, as in a deployment.
"""

import contextlib
import hashlib
import json
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import websocket

from hub_config.local_processes import list_processes_at_home
from tests.atelier_stack import Browser, Stack
from tests.exchange_stand import pack
from tests.killable_stack import KillableStack, Server
from tests.postgresql import require_postgresql
from tests.waiting import wait_until

pytestmark = [pytest.mark.hub, pytest.mark.undisturbed]  # it promises seconds

BACK_WITHIN_S = 15
STUDENTS = tuple(f"kill.{n}@students.school-a.example" for n in range(6))
TEACHER = "kill.teacher@school-a.example"


# ---------------------------------------------------------------- a lesson
@dataclass
class Student:
    """A student at work: a kernel that remembers, and work that is handed in again and again."""

    stack: Stack
    email: str
    number: int
    browser: Browser = field(init=False)
    account: str = field(init=False)
    kernel: str = field(init=False)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0

    def begin(self) -> Self:
        self.browser = self.stack.sign_in(self.email)
        self.account = self.stack.find_person(self.email)
        self.stack.start_workspace(self.account)
        base = self.stack.account_url(self.account)
        assert self.browser.get(f"{base}lab").status_code == 200
        xsrf = next(
            c.value
            for c in self.browser.cookies.jar
            if c.name == "_xsrf" and c.path == f"/user/{self.account}/"
        )
        answer = self.browser.post(f"{base}api/kernels", json={}, headers={"X-XSRFToken": str(xsrf)})
        assert answer.status_code == 201, answer.text
        self.kernel = answer.json()["id"]
        self.run("import os; remembered = []")
        return self

    def run(self, code: str) -> str:
        """Run code in the kernel over a fresh websocket, as a tab does when it connects again."""
        base = self.stack.account_url(self.account)
        cookies = "; ".join(
            f"{c.name}={c.value}" for c in self.browser.cookies.jar if self.account in c.domain
        )
        host = httpx.URL(base)
        socket = websocket.create_connection(
            f"ws://127.0.0.1:{host.port}/user/{self.account}/api/kernels/{self.kernel}/channels",
            host=f"{host.host}:{host.port}",
            cookie=cookies,
            origin=f"http://{host.host}:{host.port}",
            timeout=20,
        )
        try:
            return ask_kernel(socket, code)
        finally:
            socket.close()

    def hand_in(self, ending: threading.Event) -> None:
        """Hand in until told to stop; who gets no receipt sends the same again with the same key."""
        token = find_token(self.stack, self.account)
        url = f"{self.stack.house.web_url}/services/atelier/api/v1/courses/kills/assignments/hw1/submissions"
        random_bytes = random.Random(self.number)
        while not ending.is_set():
            content, key = pack({"hw1.ipynb": random_bytes.randbytes(3000)}), uuid.uuid4().hex
            while not ending.is_set():
                self.attempts += 1
                with contextlib.suppress(httpx.HTTPError):
                    headers = {"Authorization": f"token {token}", "Idempotency-Key": key}
                    answer = httpx.post(url, content=content, headers=headers, timeout=20, trust_env=False)
                    if answer.status_code in (200, 201):
                        assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()
                        self.receipts.append(answer.json())
                        break
                ending.wait(0.5)
            ending.wait(4)  # at most 60 an hour are taken from one account


def ask_kernel(socket: Any, code: str) -> str:
    message = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    header = {
        "msg_id": message,
        "msg_type": "execute_request",
        "username": "",
        "session": message,
        "version": "5.3",
    }
    request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(request))
    printed = ""
    while True:
        answer = json.loads(socket.recv())
        if answer["parent_header"].get("msg_id") != message:
            continue
        assert answer["msg_type"] != "error", answer["content"]
        if answer["msg_type"] == "stream":
            printed += answer["content"]["text"]
        if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return printed


def find_token(stack: Stack, account: str) -> str:
    """Return the token that the workspace itself holds."""
    for process in list_processes_at_home(stack.house.homes_dir, account):
        if token := process.environ().get("JUPYTERHUB_API_TOKEN"):
            return str(token)
    raise AssertionError(f"no workspace of {account} runs")


@dataclass
class Lesson:
    """Students at work, a teacher with an open page."""

    stack: KillableStack
    students: list[Student]
    teacher: Browser
    course_id: str

    def check_goes_on(self, name: str) -> None:
        """Raise AssertionError when a kernel forgot something or somebody would have to sign in again."""
        for student in self.students:
            student.run(f"remembered.append({name!r})")
        for browser in [self.teacher, *(student.browser for student in self.students)]:
            assert self.is_signed_in(browser), f"{name}: somebody must sign in again"

    def is_signed_in(self, browser: Browser) -> bool:
        try:
            page = browser.get(self.stack.pages_url)
            user = browser.get(f"{self.stack.public_url}/hub/api/user")
        except httpx.HTTPError:
            return False
        return (
            page.status_code == 200
            and str(page.url).startswith(self.stack.pages_url)
            and user.status_code == 200
        )

    def is_open(self, student: Student) -> bool:
        try:
            return (
                student.browser.get(f"{self.stack.account_url(student.account)}api/kernels").status_code
                == 200
            )
        except httpx.HTTPError:
            return False

    def steward_acts(self) -> bool:
        """Make a team; tell whether its account comes to be."""
        account = self.stack.make_team(self.course_id, f"Team {uuid.uuid4().hex[:6]}", [])
        wait_until(
            lambda: self.stack.ask_hub("GET", f"users/{account}").status_code == 200,
            BACK_WITHIN_S,
            "the steward does nothing",
        )
        return True

    def check_receipts(self) -> int:
        """Ask for every receipt and its archive; return how many there are."""
        for student in self.students:
            headers = {"Authorization": f"token {find_token(self.stack, student.account)}"}
            base = f"{self.stack.house.web_url}/services/atelier/api/v1/submissions"
            with httpx.Client(headers=headers, trust_env=False, timeout=30) as client:
                for receipt in student.receipts:
                    assert client.get(f"{base}/{receipt['id']}").json() == receipt
                    content = client.get(f"{base}/{receipt['id']}/archive").content
                    assert hashlib.sha256(content).hexdigest() == receipt["sha256"]
        return sum(len(student.receipts) for student in self.students)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    programs = require_postgresql()
    with tempfile.TemporaryDirectory(prefix="atelier-pg-") as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "pg"
        folder.mkdir()
        server = Server(folder, programs)
        try:
            server.start()
            server.create("service", "hub")
            with KillableStack(tmp_path_factory.mktemp("kills"), server) as stack:
                yield begin_lesson(stack)
        finally:
            server.kill()


def begin_lesson(stack: KillableStack) -> Lesson:
    people = [f"Ученик Проба {email} student" for email in STUDENTS]
    stack.add_people(*people, f"Учител Проба {TEACHER} teacher")
    course_id = stack.make_course("kills", TEACHER, STUDENTS)
    release(stack, course_id)
    students = [Student(stack, email, number).begin() for number, email in enumerate(STUDENTS)]
    return Lesson(stack, students, stack.sign_in(TEACHER), course_id)


def release(stack: Stack, course_id: str) -> None:
    """Release an assignment as the course workspace does."""
    account = f"course-{course_id}"
    wait_until(lambda: stack.ask_hub("GET", f"users/{account}").status_code == 200, 30, "no course account")
    stack.start_workspace(account)
    base = f"{stack.house.web_url}/services/atelier/api/v1/courses/kills/assignments/hw1"
    headers = {"Authorization": f"token {find_token(stack, account)}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as client:
        assert client.put(base, json={"title": "Задача"}).status_code in (200, 201)
        assert client.post(f"{base}/releases", content=pack({"hw1.ipynb": b"{}"})).status_code == 201
    stack.ask_hub("DELETE", f"users/{account}/server")


@contextlib.contextmanager
def load(lesson: Lesson) -> Iterator[None]:
    """While the block runs, every student hands in."""
    ending = threading.Event()
    threads = [threading.Thread(target=student.hand_in, args=(ending,)) for student in lesson.students]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(30)


def test_each_process_killed_in_a_lesson_is_back_and_nothing_is_lost(lesson: Lesson):
    stack = lesson.stack
    first = lesson.students[0]
    back: dict[str, Callable[[], bool]] = {
        "proxy": lambda: all(lesson.is_open(student) for student in lesson.students),
        "hub": lambda: lesson.is_signed_in(lesson.teacher) and lesson.is_open(first),
        "web": lambda: lesson.is_signed_in(lesson.teacher),
        "steward": lesson.steward_acts,
        "postgresql": lambda: lesson.is_signed_in(lesson.teacher) and lesson.is_open(first),
    }
    took_s = {}
    with load(lesson):
        wait_until(lambda: first.receipts, 30, "nobody can hand in")
        for name, is_back in back.items():
            began = time.monotonic()
            stack.kill(name)
            stack.start_again(name)
            wait_until(is_back, 60, f"{name} is not back")
            took_s[name] = round(time.monotonic() - began, 1)
            lesson.check_goes_on(name)
        known = len(first.receipts)
        wait_until(lambda: len(first.receipts) > known, 30, "nobody can hand in any more")
    print(f"back after: {took_s}")  # noqa: T201
    assert {name: s for name, s in took_s.items() if s > BACK_WITHIN_S} == {}
    for student in lesson.students:
        assert student.run("print(remembered)").strip() == str(list(back))
    assert lesson.check_receipts() >= 4


def test_a_power_cut_loses_nothing_that_was_acknowledged(lesson: Lesson):
    stack = lesson.stack
    names = ("postgresql", "proxy", "web", "hub", "steward")
    with load(lesson):
        known = sum(len(student.receipts) for student in lesson.students)
        wait_until(lambda: sum(len(s.receipts) for s in lesson.students) > known, 30, "nobody can hand in")
        stack.kill(*names)
        for process in list_processes_at_home(stack.house.homes_dir):
            with contextlib.suppress(Exception):
                process.kill()
    began = time.monotonic()
    stack.start_again(*names)
    wait_until(lambda: lesson.is_signed_in(lesson.teacher), 60, "the pages are not back")
    took_s = time.monotonic() - began
    for student in lesson.students:
        assert lesson.is_signed_in(student.browser)
        stack.start_workspace(student.account)  # as the page's button does
    assert lesson.check_receipts() > known
    print(f"back after {took_s:.1f} s")  # noqa: T201
    assert took_s < 4 * BACK_WITHIN_S
