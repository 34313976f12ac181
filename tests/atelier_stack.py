"""The whole of Atelier for tests: provider, proxy, web, steward and hub, real ones, on free ports.

``with Stack(tmp_path) as stack: client = stack.sign_in("teacher@school-a.example")``. The processes are
those of `make run` (`demo.launch.Demo`); only the list of accounts at the provider is the test's own.
"""

import html
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
from atelier.store import make_session_factory, open_database, utc_now
from sqlalchemy.orm import Session

from demo.launch import Demo
from hub_config.city import load_city
from tests.waiting import wait_until

LOG_LINES = 80
T = TypeVar("T")
# For plain http: else each question reads the certificates of all authorities, longer than its answer takes.
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class LoopbackTransport(httpx.BaseTransport):
    """Connects every ``*.localhost`` to 127.0.0.1, as browsers do; Python resolves only ``localhost``.

    The Host header and the cookies keep the name.
    """

    def __init__(self) -> None:
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.host.endswith("localhost") and request.url.host != "127.0.0.1":
            raise AssertionError(f"a test wants to leave this machine: {request.url.host}")
        there = request.url.copy_with(host="127.0.0.1")
        # The name belongs into the Host header only: httpcore would look it up.
        return self._transport.handle_request(
            httpx.Request(
                request.method,
                there,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        self._transport.close()


class Browser(httpx.Client):
    """A browser without scripts: follows redirects, keeps cookies per host, says which language it reads."""

    def __init__(self, language: str = "bg") -> None:
        super().__init__(
            transport=LoopbackTransport(),
            follow_redirects=True,
            timeout=60,
            headers={"Accept-Language": language, "Sec-Fetch-Mode": "navigate", "Accept": "text/html,*/*"},
        )

    def post_form(self, page: httpx.Response, action: str, data: Mapping[str, str]) -> httpx.Response:
        """Send a form of `page` to the address `action`, which may be relative."""
        return self.post(urljoin(str(page.url), action), data=dict(data))


@dataclass(frozen=True)
class Choice:
    """A button on the provider's chooser page."""

    account: str
    email: str


class Stack:
    """A running Atelier. `demo_people`: with the demo's rosters, and its accounts at the provider."""

    def __init__(self, data_dir: Path, *, demo_people: bool = True, city_file: Path | None = None) -> None:
        self.demo = Demo(data_dir, port=0, seed=demo_people, city_file=city_file)
        self.house = self.demo.house
        if not demo_people:
            self.house.accounts_file.parent.mkdir(parents=True, exist_ok=True)
            self.house.accounts_file.write_text('{"accounts": []}')
        self._clients: list[httpx.Client] = []

    # ------------------------------------------------ life
    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.print_logs()
        self.stop()

    def start(self) -> Self:
        """Start all processes and wait until each answers."""
        try:
            self.demo.start()
        except BaseException:
            self.print_logs()
            raise
        return self

    def stop(self) -> None:
        """End everything that was started."""
        for client in self._clients:
            client.close()
        self.demo.stop()

    def restart(self, name: str) -> None:
        """End one process and start it again: provider, proxy, web, hub or steward."""
        self.demo.restart(name)

    @contextmanager
    def down(self, name: str) -> Iterator[None]:
        """Without one of the processes, e.g. ``with stack.down("web"):``."""
        process = self.demo.processes.pop(name)
        process.end(10, with_family=False)
        try:
            yield
        finally:
            self.demo.processes[name] = process
            self.demo.restart(name)

    # ------------------------------------------------ what it says
    @property
    def public_url(self) -> str:
        return self.house.public_url

    @property
    def pages_url(self) -> str:
        return self.house.pages_url

    def account_url(self, account: str) -> str:
        """Address of an account's workspace, on its own origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{account}.{parts.netloc}/user/{account}/"

    def read_log(self, name: str) -> str:
        """Return the log of a process."""
        path = self.house.logs_dir / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def print_logs(self) -> None:
        """Print what `describe_logs` returns."""
        print(self.describe_logs())  # noqa: T201

    def describe_logs(self) -> str:
        """Return the end of each log: what a failed test needs."""
        parts = []
        for path in sorted(self.house.data_dir.rglob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            parts.append("\n".join([f"======== {path.relative_to(self.house.data_dir)}", *lines]))
        return "\n\n".join(parts)

    # ------------------------------------------------ people
    def run(self, *command: str) -> str:
        """Run `python -m atelier <command>` in the service's environment and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "atelier", *command],
            env=self.house.web_environment,
            cwd=self.house.service_dir,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"atelier {' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def import_roster(self, school: str, rows: Sequence[str]) -> None:
        """Import CSV rows ``№,given,family,e-mail,role,class`` (role: student, teacher, …)."""
        path = self.house.data_dir / "roster.csv"
        path.write_text(
            "\n".join(["No,First name,Last name,E-mail,Role,Class", *rows]) + "\n", encoding="utf-8"
        )
        self.run("roster", "import", str(path), "--school", school, "--apply")

    def add_people(self, *people: str) -> None:
        """Put people of a test's own on the first school's roster, so that no test meets another's.

        Each is ``"Given Family address role"``; students get the class 11Я. The provider offers them, too.
        """
        rows = []
        for number, person in enumerate(people, start=1):
            given, family, email, role = person.split()
            rows.append(f"{number},{given},{family},{email},{role},{'11Я' if role == 'student' else ''}")
            self.set_account(email, hosted_domain=email.partition("@")[2])
        self.import_roster("primer", rows)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session on the service's database; committed at the end."""
        engine = open_database(self.house.database_url)
        try:
            with make_session_factory(engine).begin() as session:
                yield session
        finally:
            engine.dispose()

    def find_person(self, email: str) -> str:
        """Return the id of the person with an address."""
        from atelier.store.models import Identity

        with self.session() as session:
            found = session.query(Identity.person_id).filter_by(email=email, retired_at=None).one()
            return str(found[0])

    def make_course(self, slug: str, teacher: str, students: Sequence[str] = ()) -> str:
        """Create a course with its teacher and named students (addresses). Returns the course's id."""
        from atelier import projects
        from atelier.store.models import Enrolment

        teacher_id = self.find_person(teacher)
        student_ids = [self.find_person(email) for email in students]
        school = load_city(self.house.city_file).find_school_of_domain(teacher.rpartition("@")[2])
        assert school is not None
        now = utc_now()
        with self.session() as session:
            course = projects.create_course(
                session, title=slug, slug=slug, school=school, class_ids=[], teacher_id=teacher_id, now=now
            )
            for person_id in student_ids:
                session.add(Enrolment(course_id=course.id, person_id=person_id, role="student", from_at=now))
            return course.id

    def make_team(self, course_id: str, name: str, members: Sequence[str]) -> str:
        """Create a project with one team of these students (addresses). Returns the team's account."""
        from atelier import projects

        member_ids = [self.find_person(email) for email in members]
        now = utc_now()
        with self.session() as session:
            project = projects.create_project(session, course_id, title=name, now=now)
            team = projects.create_team(session, project.id, name, now)
            projects.set_team_members(session, team.id, member_ids, now)
            return f"team-{team.id}"

    def set_account(self, email: str | None, **claims: Any) -> None:
        """Let the provider offer an account: ``set_account("a@b.example", hosted_domain="b.example")``."""
        content = json.loads(self.house.accounts_file.read_text())
        others = [known for known in content["accounts"] if known.get("email") != email]
        added = {**({"email": email, "name": email} if email else {"name": "?"}), **claims}
        self.house.accounts_file.write_text(json.dumps({"accounts": [*others, added]}))

    # ------------------------------------------------ sign-in
    def browser(self, language: str = "bg") -> Browser:
        """Return a browser nobody has signed in with; closed with the stack."""
        browser = Browser(language)
        self._clients.append(browser)
        return browser

    def open_chooser(self, browser: Browser, path: str = "/hub/oauth_login") -> httpx.Response:
        """Begin to sign in. Returns the provider's chooser page."""
        page = browser.get(f"{self.public_url}{path}")
        assert page.status_code == 200, page.text
        assert page.url.host == "accounts.localhost", page.url
        return page

    def choose(self, browser: Browser, chooser: httpx.Response, email: str) -> httpx.Response:
        """Choose an account on the chooser page. Returns where the browser ends up."""
        action = find_form(chooser, "choose")
        choice = next(c for c in list_choices(chooser) if c.email == email)
        return browser.post_form(chooser, action, {"account": choice.account})

    def try_sign_in(self, email: str, language: str = "bg") -> httpx.Response:
        """Walk the real flow in a new browser; returns the last page, whatever it says."""
        browser = self.browser(language)
        return self.choose(browser, self.open_chooser(browser), email)

    def sign_in(self, email: str, language: str = "bg") -> Browser:
        """Return a browser in which the person has signed in to the hub and the pages."""
        browser = self.browser(language)
        page = self.choose(browser, self.open_chooser(browser), email)
        assert page.status_code == 200, f"{page.status_code} {page.url}: {page.text[:2000]}"
        return browser

    def signed_in_page(self, context: Any, email: str) -> Any:
        """Return a Playwright page on *My work*, signed in through the pages as a person does it."""
        page = context.new_page()
        page.goto(f"{self.public_url}/hub/login")
        page.click("#sign-in")
        page.click(f'button:has(small:text("{email}"))')
        page.wait_for_url(f"{self.pages_url}**")
        return page

    # ------------------------------------------------ the hub's API
    def ask_hub(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the hub's API with the steward's token."""
        headers = {"Authorization": f"token {self.house.secrets['steward_hub_token']}"}
        url = f"{self.house.hub_api_url}/{path}"
        return httpx.request(method, url, headers=headers, timeout=60, verify=NO_AUTHORITIES, **options)

    def start_workspace(self, account: str, within_s: float = 90) -> None:
        """Start an account's workspace through the API and wait until it is ready; a stop ends before."""
        wait_until(lambda: self._takes_start(account), within_s, f"{account} did not stop")
        wait_until(lambda: self.is_ready(account), within_s, f"{account} did not start")

    def _takes_start(self, account: str) -> bool:
        answer = self.ask_hub("POST", f"users/{account}/server")
        assert answer.status_code in (201, 202, 400), f"{answer.status_code} {answer.text}"
        return not (answer.status_code == 400 and "is pending" in answer.text)  # else it runs already

    def is_ready(self, account: str) -> bool:
        """Tell whether an account's workspace runs."""
        answer = self.ask_hub("GET", f"users/{account}")
        return answer.status_code == 200 and bool((answer.json()["servers"].get("") or {}).get("ready"))


def find_form(page: httpx.Response, ending: str) -> str:
    """Return the address of the page's form that ends in `ending`."""
    actions = [html.unescape(action) for action in re.findall(r'<form[^>]* action="([^"]*)"', page.text)]
    return next(action for action in actions if action.endswith(ending))


def list_choices(chooser: httpx.Response) -> list[Choice]:
    """Return the accounts that the chooser page offers."""
    pattern = r'<button name="account" value="([^"]*)">.*?<small>([^<·]*)'
    return [
        Choice(value, html.unescape(email).strip())
        for value, email in re.findall(pattern, chooser.text, re.S)
    ]
