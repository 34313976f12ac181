"""A web process on a free port with a real database, and a small hub beside it that says whose a token is.

Two schools; in the first a course with two teams and a second course; in the second school another course.
`ROLES` names the callers of the tables in test_api_*.py.
"""

import contextlib
import datetime as dt
import gzip
import io
import json
import socket
import ssl
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from atelier import projects
from atelier.settings import WebSettings
from atelier.store.blobs import BlobStore
from atelier.store.database import SessionFactory, make_session_factory, open_database
from atelier.store.migrate import find_revision, upgrade_database
from atelier.store.models import (
    ClassMembership,
    Course,
    Feedback,
    Person,
    SchoolClass,
    StagedResult,
    Submission,
)
from atelier.web import create_app
from atelier.web.server import make_server_config
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from hub_config.city import City, parse_city
from tests.waiting import wait_until

NOW = dt.datetime(2026, 11, 9, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SCOPE = "custom:atelier:exchange"
HUB_SERVICE_TOKEN = "the-hubs-own-token"
# Nothing here is https, and reading the list of authorities takes 30 ms for each client.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CITY = """
name: Град
schools:
  sou-1:
    name: Първо училище
    domains: [sou1.example]
    zone: Europe/Sofia
    first_administrator: admin@sou1.example
    limits: {archive_max_mb: 8, archive_unpacked_max_mb: 40, archive_max_files: 50}
  sou-2:
    name: Второ училище
    language: en
    domains: [sou2.example]
    first_administrator: admin@sou2.example
"""

ROLES = (
    "student",  # of the course, personal workspace
    "teacher",  # of the course, personal workspace
    "student of another course",
    "team",
    "other team",
    "course",
    "other course",
    "other school",
    "nobody",  # no token
    "visitor",  # a token that the student left in the team's server by visiting it: no scope
)


class HubStandIn:
    """Answers ``GET /hub/api/user`` by token, as JupyterHub does. Used where no real hub is needed."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.questions: list[str] = []
        self.status: int | None = None
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "").removeprefix("token ")
                stand_in.questions.append(token)
                user = stand_in.users.get(token)
                status = stand_in.status or (200 if user else 403)
                body = json.dumps(user if status == 200 else {"status": status}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hub/api"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add_workspace(self, account: str) -> str:
        """Return the token of the account's own workspace."""
        return self.add_token(f"workspace-{account}", account, [f"{SCOPE}!user={account}"])

    def add_token(self, token: str, account: str, scopes: list[str], kind: str = "user") -> str:
        own = [f"read:users:name!user={account}"]
        self.users[token] = {"kind": kind, "name": account, "groups": [], "scopes": sorted(own + scopes)}
        return token

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: dt.datetime = NOW

    def __call__(self) -> dt.datetime:
        return self.now


@dataclass
class Stand:
    """A running web process and what lies around it."""

    url: str
    hub: HubStandIn
    clock: Clock
    sessions: SessionFactory
    blobs: BlobStore
    tokens: dict[str, str]
    accounts: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)
    course: Course | None = None
    teams: list[str] = field(default_factory=list)

    def client(self, role: str) -> httpx.Client:
        """Return a client that asks as `role`."""
        token = self.tokens.get(role)
        headers = {"Authorization": f"token {token}"} if token else {}
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=30,
            trust_env=False,
            verify=NO_CERTIFICATES,
        )

    def release(self, assignment: str = "hw1", slug: str = "geo-8a") -> None:
        with self.client("course") as client:
            path = f"/courses/{slug}/assignments/{assignment}/releases"
            assert client.post(path, content=pack({f"{assignment}.ipynb": b"{}"})).status_code in (200, 201)

    def submit(
        self,
        role: str = "student",
        assignment: str = "hw1",
        content: bytes | None = None,
        key: str = "key-00001",
        slug: str = "geo-8a",
    ) -> httpx.Response:
        with self.client(role) as client:
            return client.post(
                f"/courses/{slug}/assignments/{assignment}/submissions",
                content=pack({"hw1.ipynb": b"{}"}) if content is None else content,
                headers={"Idempotency-Key": key},
            )

    def list_staged(self) -> list[StagedResult]:
        with self.sessions() as session:
            return list(session.scalars(select(StagedResult)))

    def confirm_feedback(self) -> None:
        """What a teacher's confirmation does to feedback, without the marks."""
        with self.sessions.begin() as session:
            session.execute(update(Feedback).values(confirmed_at=self.clock.now))

    def ruin_blob(self, account: str) -> None:
        """Damage an account's only archive on the service's disk, as a failing disk would."""
        with self.sessions() as session:
            sha256 = session.scalars(select(Submission.sha256).where(Submission.account == account)).one()
        file = Path(self.blobs.find(sha256))
        file.chmod(0o644)
        file.write_bytes(b"ruined")

    def count(self, table: str) -> int:
        with self.sessions() as session:
            return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def pack(files: dict[str, bytes]) -> bytes:
    """Return an archive of these files, as a workspace packs them: the same bytes for the same files."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def make_settings(folder: Path, hub_url: str, database_url: str) -> WebSettings:
    """Return settings of a web process that keeps everything below `folder`."""
    return WebSettings(
        city_file=folder / "city.yaml",
        database_url=database_url,
        blob_dir=folder / "blobs",
        templates_dir=folder / "templates",
        public_url="http://atelier.localhost:8000",
        hub_api_url=hub_url,
        web_hub_token="web-hub-token",
        hub_service_token=HUB_SERVICE_TOKEN,
    )


@contextlib.contextmanager
def open_stand(
    folder: Path, database_url: str, *, city_text: str = CITY, more_students: int = 0
) -> Iterator[Stand]:
    """Run a web process in a thread of this one, with the people and courses described above.

    A database without tables gets them.
    `more_students` adds students 0, 1, … to the course, as the roles "student 0", "student 1", …
    """
    hub, clock = HubStandIn(), Clock()
    settings = make_settings(folder, hub.url, database_url)
    settings.city_file.write_text(city_text, encoding="utf-8")
    settings.templates_dir.mkdir(exist_ok=True)
    engine = open_database(settings.database_url)
    if find_revision(engine) is None:
        upgrade_database(engine)
    sessions = make_session_factory(engine)
    city = parse_city(city_text)
    stand = Stand("", hub, clock, sessions, BlobStore(settings.blob_dir), {}, {})
    with sessions.begin() as session:
        add_people(stand, session, city, more_students)
    app = create_app(settings, city=city, sessions=sessions, clock=clock)
    try:
        with serve_in_thread(make_server_config(settings, app)) as origin:
            stand.url = f"{origin}/services/atelier"
            yield stand
    finally:
        hub.close()
        engine.dispose()


@contextlib.contextmanager
def serve_in_thread(config: uvicorn.Config) -> Iterator[str]:
    """Run a uvicorn server on a free port; yield its origin."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 20, "the server did not start")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def add_people(stand: Stand, session: Session, city: City, more_students: int = 0) -> None:
    """Fill the database, and the hub's tokens."""
    add = _Adder(session, city)
    teacher, student = add.person("teacher", "Мария"), add.person("student", "Ада")
    mates = [add.person("student", name) for name in ("Борис", "Вяра", "Гео")]
    more = [add.person("student", f"Ученик {number}") for number in range(more_students)]
    course = add.course("geo-8a", "sou-1", teacher, [student, *mates, *more])
    other_student, other_teacher = add.person("student", "Друг"), add.person("teacher", "Друга")
    other_course = add.course("chem-9b", "sou-1", other_teacher, [other_student])
    foreigner = add.person("student", "Foreign", "sou-2")
    foreign_teacher = add.person("teacher", "Foreign", "sou-2")
    add.course("phys-7v", "sou-2", foreign_teacher, [foreigner])
    project = projects.create_project(session, course.id, title="Климат", now=NOW)
    teams = [
        add.team(project.id, "Синички", [student, mates[0]]),
        add.team(project.id, "Врабчета", mates[1:]),
    ]
    for name, kind in (("hw1", "individual"), ("project1", "team")):
        add.assignment(course, name, kind, project.id if kind == "team" else None)
    add.assignment(other_course, "hw1", "individual")
    stand.course, stand.teams = course, teams
    stand.people = {"student": student, "teacher": teacher, "mate": mates[0], "other": other_student}
    stand.accounts = {
        "student": student.id,
        "teacher": teacher.id,
        "student of another course": other_student.id,
        "team": f"team-{teams[0]}",
        "other team": f"team-{teams[1]}",
        "course": f"course-{course.id}",
        "other course": f"course-{other_course.id}",
        "other school": foreigner.id,
        **{f"student {number}": person.id for number, person in enumerate(more)},
    }
    for role, account in stand.accounts.items():
        stand.tokens[role] = stand.hub.add_workspace(account)
    access = f"access:servers!server=team-{teams[0]}/"
    stand.tokens["visitor"] = stand.hub.add_token("visitors-oauth-token", student.id, [access])


@dataclass
class _Adder:
    session: Session
    city: City

    def person(self, role: str, name: str, school: str = "sou-1") -> Person:
        person = Person(school_id=school, role=role, given_name=name, family_name="Пробна", created_at=NOW)
        self.session.add(person)
        self.session.flush()
        return person

    def course(self, slug: str, school: str, teacher: Person, students: list[Person]) -> Course:
        school_class = SchoolClass(school_id=school, name=f"8 {slug}", school_year=2026)
        self.session.add(school_class)
        self.session.flush()
        self.session.add_all(
            ClassMembership(class_id=school_class.id, person_id=s.id, number=n, from_at=NOW - HOUR)
            for n, s in enumerate(students, 1)
        )
        return projects.create_course(
            self.session,
            title=f"Курс {slug}",
            school=self.city.find_school(school),
            class_ids=[school_class.id],
            teacher_id=teacher.id,
            now=NOW - HOUR,
            slug=slug,
        )

    def team(self, project_id: str, name: str, members: list[Person]) -> str:
        team = projects.create_team(self.session, project_id, name, NOW - HOUR)
        projects.set_team_members(self.session, team.id, [m.id for m in members], NOW - HOUR)
        return team.id

    def assignment(self, course: Course, name: str, kind: str, project_id: str | None = None) -> None:
        projects.ensure_assignment(
            self.session,
            course.id,
            name,
            zone="Europe/Sofia",
            now=NOW - HOUR,
            title=f"Задача {name}",
            kind=kind,
            project_id=project_id,
        )
