"""A small town with a real database, real blobs and the real web application, for tests of the pages.

Two schools; in the first a class of 28 in seven teams, two teachers and an administrator. Work is in every
state: open, submitted, late, missed, staged, marked. Some names and files are hostile.
"""

import atexit
import datetime as dt
import functools
import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from atelier import lessons, marks, projects
from atelier.pages.visitors import start_session
from atelier.settings import SERVICE_PREFIX, WebSettings
from atelier.store.blobs import BlobStore
from atelier.store.database import SessionFactory, make_session_factory, open_database, utc_now
from atelier.store.ids import team_account
from atelier.store.models import (
    Assignment,
    Base,
    Blob,
    ClassMembership,
    Course,
    Feedback,
    Person,
    Project,
    Release,
    SchoolClass,
    Submission,
    SubmissionMember,
    Team,
    WebSession,
)
from atelier.web import create_app
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from hub_config.city import City, parse_city

NOW = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CITY = """
name: Град
schools:
  sou-1:
    name: СУ „Васил Левски“
    domains: [sou1.example]
    first_administrator: admin@sou1.example
  sou-2:
    name: Second School
    domains: [sou2.example]
    language: en
    scale: {kind: percent}
    first_administrator: admin@sou2.example
"""
NAMES = """Александра Ангелова|Борислав Бонев|Валентина Василева|Виктор Вълчев|Габриела Георгиева|Георги Гешев
Даниел Димитров|Дарина Добрева|Елена Евтимова|Емил Желев|Ива Захариева|Иван Иванов|Калина Йорданова
Кристиян Кирилов|Лилия Колева|Любомир Лазаров|Мария Маринова|Мартин Михайлов|Надежда Найденова
Никола Николов|Петя Петрова|Радослав Русев|Симона Стоянова|Теодор Тодоров|Цветелина Узунова
Яна Христова""".replace("\n", "|").split("|")
SCRIPT_NAME = ("<script>document.title='hacked'</script>", "Цанев")
FORGING_NAME = ("Шон\u202eнеЮ", '=HYPERLINK("http://evil.example")')
HOSTILE_FEEDBACK = b"""<!doctype html><html><head><title>solution</title>
<script>document.title = 'hacked'; fetch('/services/atelier/')</script></head>
<body><h1 id=x>Feedback</h1><p>Score: 8 of 10</p><img src=x onerror="document.title='hacked'">
<form action="/services/atelier/language" method=post><button>go</button></form></body></html>"""
TEMPLATE = """
name: small-rain
title: {bg: Къде отива дъждът?, en: Where does the rain go?}
summary: {bg: Екипите мерят валежите и предлагат къде да се събира водата., en: Teams measure rain.}
subjects: {bg: география и икономика, en: geography}
grades: [8, 9]
lessons: 12
driving_question: {bg: Как нашето училище да задържа дъждовната вода?, en: How can our school keep its rain?}
milestones:
  - {title: {bg: План, en: Plan}, description: {bg: План, en: Plan}, in_days: 7}
rubric:
  - title: {bg: Данни, en: Data}
    levels:
      - {points: 4, description: {bg: добре, en: good}}
      - {points: 1, description: {bg: слабо, en: weak}}
assignments:
  - {name: rain-start, title: {bg: Първи стъпки, en: First steps}, kind: individual, due_in_days: 7}
data: []
"""


@dataclass
class Town:
    """What the tests work with."""

    folder: Path
    settings: WebSettings
    city: City
    sessions: SessionFactory
    now: dt.datetime
    ids: dict[str, str] = field(default_factory=dict)
    students: list[str] = field(default_factory=list)
    submissions: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.settings.service_origin

    def make_app(self, hub: httpx.AsyncClient | None = None, real_clock: bool = False) -> FastAPI:
        """Return the web process's application; its clock stands at `now` unless it is real."""
        clock = utc_now if real_clock else lambda: self.now
        return create_app(self.settings, city=self.city, sessions=self.sessions, hub=hub, clock=clock)

    def sign_in(self, who: str, now: dt.datetime | None = None) -> str:
        """Give somebody of `ids` a session without the hub; return the cookie's value."""
        with self.sessions.begin() as session:
            return start_session(session, self.ids[who], now or self.now)

    def open_as(self, who: str, app: FastAPI | None = None) -> "PageClient":
        """Return a client without redirects, signed in as `who` unless that is 'nobody'."""
        client = PageClient(self, app or self.make_app(), who)
        if who != "nobody":
            client.cookies.set("atelier", self.sign_in(who))
        return client

    def csrf_token(self, who: str) -> str:
        with self.sessions() as session:
            query = select(WebSession.csrf_token).where(WebSession.person_id == self.ids[who])
            return session.scalars(query).all()[-1]

    def load(self, session: Session, kind: type[Any], who: str) -> Any:
        return session.get_one(kind, self.ids[who])


class PageClient(TestClient):
    """A browser without scripts on the service's own origin."""

    def __init__(self, town: Town, app: FastAPI, who: str) -> None:
        super().__init__(app, base_url=town.origin, follow_redirects=False)
        self.town, self.who = town, who

    def see(self, path: str) -> httpx.Response:
        """Open a page below the service's prefix."""
        return self.get(SERVICE_PREFIX + path)

    def fill_in(self, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        """Send a form as our own page does; `headers` replace the Origin or add others."""
        token = self.town.csrf_token(self.who) if self.who != "nobody" else "x"
        sent = {"Origin": self.town.origin, **headers}
        return self.post(SERVICE_PREFIX + path, data={"csrf_token": token, **fields}, headers=sent)


def build_town(
    folder: Path, public_url: str = "http://atelier.localhost:8000", database_url: str | None = None
) -> Town:
    """Make the town in an empty folder; its database is SQLite in there unless `database_url` says where."""
    database_url = database_url or f"sqlite:///{folder / 'atelier.sqlite'}"
    templates = folder / "templates" / "small-rain"
    (templates / "source" / "rain-start").mkdir(parents=True)
    (templates / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (templates / "source" / "rain-start" / "rain.ipynb").write_text("{}", encoding="utf-8")
    city = parse_city(CITY)
    engine = open_database(database_url)
    Base.metadata.create_all(engine)
    settings = WebSettings(
        city_file=folder / "city.yaml",
        database_url=database_url,
        blob_dir=folder / "blobs",
        templates_dir=folder / "templates",
        public_url=public_url,
        web_hub_token="web-hub-secret",
        hub_service_token="hub-service-secret",
    )
    town = Town(folder, settings, city, make_session_factory(engine), NOW)
    with town.sessions.begin() as session:
        _Seed(town, session, BlobStore(folder / "blobs")).fill()
    return town


class _Seed:
    """Fills the town, with the rooms' own functions where there are any."""

    def __init__(self, town: Town, session: Session, blobs: BlobStore) -> None:
        self.town, self.session, self.blobs = town, session, blobs
        blobs.prepare()

    def fill(self) -> None:
        self._add_staff()
        self._add_class()
        course = self._add_course("geo", "География 8А", "sou-1", "teacher", ["class"])
        self._add_course("math", "Математика 8А", "sou-1", "colleague", ["class"])
        self._add_course("far", "Physics 8", "sou-2", "far-teacher", [])
        project = projects.create_project(
            self.session,
            course.id,
            title="Климатът на нашия град",
            driving_question="Става ли градът ни по-топъл и какво да направим?",
            now=NOW - 30 * DAY,
        )
        self.town.ids["project"] = project.id
        teams = self._add_teams(project)
        self._add_assignments(course, project, teams)
        self._add_lesson(course, project)

    def add_person(self, key: str, role: str, given: str, family: str, school: str = "sou-1") -> Person:
        person = Person(
            school_id=school, role=role, given_name=given, family_name=family, created_at=NOW - 60 * DAY
        )
        self.session.add(person)
        self.session.flush()
        self.town.ids[key] = person.id
        return person

    def _add_staff(self) -> None:
        self.add_person("teacher", "teacher", "Мария", "Димитрова")
        self.add_person("colleague", "teacher", "Стоян", "Колев")
        self.add_person("new-teacher", "teacher", "Нова", "Начева")
        self.add_person("school-admin", "school_admin", "Ирина", "Директорска")
        self.add_person("operator", "operator", "Олег", "Операторов")
        self.add_person("far-teacher", "teacher", "Frank", "Fern", "sou-2")
        self.add_person("far-student", "student", "Fay", "Farley", "sou-2")
        self.add_person("other-student", "student", "Друг", "Ученик")

    def _add_class(self) -> None:
        school_class = SchoolClass(school_id="sou-1", name="8А", school_year=2026)
        self.session.add(school_class)
        self.session.flush()
        self.town.ids["class"] = school_class.id
        names = [tuple(name.split(" ")) for name in NAMES] + [SCRIPT_NAME, FORGING_NAME]
        for number, (given, family) in enumerate(names, 1):
            person = self.add_person(f"student-{number}", "student", given, family)
            self.town.students.append(person.id)
            self.session.add(
                ClassMembership(
                    class_id=school_class.id, person_id=person.id, number=number, from_at=NOW - 50 * DAY
                )
            )
        self.town.ids["student"] = self.town.students[0]
        self.session.flush()

    def _add_course(self, key: str, title: str, school: str, teacher: str, classes: list[str]) -> Course:
        course = projects.create_course(
            self.session,
            title=title,
            school=self.town.city.find_school(school),
            class_ids=[self.town.ids[name] for name in classes],
            teacher_id=self.town.ids[teacher],
            now=NOW - 40 * DAY,
            slug=key,
        )
        self.town.ids[f"course-{key}"] = course.id
        return course

    def _add_teams(self, project: Project) -> list[Team]:
        teams = []
        for number in range(7):
            name = "<b>Екип</b> 7" if number == 6 else f"Екип {number + 1}"
            team = projects.create_team(self.session, project.id, name, NOW - 29 * DAY)
            last = -2 if number == 6 else None  # two students have no team yet
            members = self.town.students[number * 4 : number * 4 + 4][:last]
            projects.set_team_members(self.session, team.id, members, NOW - 29 * DAY)
            teams.append(team)
        self.town.ids["team"] = teams[0].id
        return teams

    def _add_assignments(self, course: Course, project: Project, teams: list[Team]) -> None:
        start = self._add_assignment(
            course, project, "climate-start", "Първи стъпки с данните", NOW - 3 * DAY
        )
        report = self._add_assignment(
            course, project, "climate-team", "Доклад на екипа", NOW + 2 * DAY, "team"
        )
        self._add_assignment(course, project, "climate-graph", "Графика на температурите", NOW - DAY)
        self._add_assignment(course, project, "climate-next", "Какво предлагаме", None, released=False)
        for number, person_id in enumerate(self.town.students[:25]):
            late = number % 9 == 4
            at = NOW - 3 * DAY + (dt.timedelta(hours=5) if late else -dt.timedelta(hours=number))
            self._submit(start, person_id, [person_id], at, late)
        for team in teams[:5]:
            members = [p.id for p in projects.list_members(self.session, team.id, NOW)]
            self._submit(report, team_account(team.id), members, NOW - dt.timedelta(hours=3))
        self._stage(start)
        self._stage(report)

    def _add_lesson(self, course: Course, project: Project) -> None:
        """Every Monday at noon, from today; everybody's workspace and the teams'."""
        said = lessons.Announcement(
            local=dt.datetime(2026, 11, 23, 12, 0),  # noqa: DTZ001
            zone="Europe/Sofia",
            minutes=40,
            last_on=dt.date(2026, 12, 14),
            project_id=project.id,
        )
        teacher_id = self.town.ids["teacher"]
        lesson = lessons.announce(self.session, course.id, said, teacher_id=teacher_id, now=NOW - DAY)
        self.town.ids["lesson"] = lesson.id

    def _add_assignment(
        self,
        course: Course,
        project: Project,
        name: str,
        title: str,
        due_at: dt.datetime | None,
        kind: str = "individual",
        released: bool = True,
    ) -> Assignment:
        assignment = projects.ensure_assignment(
            self.session,
            course.id,
            name,
            zone="Europe/Sofia",
            now=NOW - 20 * DAY,
            title=title,
            kind=kind,
            project_id=project.id,
        )
        projects.set_due_instant(self.session, assignment.id, due_at)
        if released:
            sha256 = self._keep({f"{name}.ipynb": b"{}"})
            self.session.add(
                Release(
                    assignment_id=assignment.id,
                    version=1,
                    sha256=sha256,
                    released_at=NOW - 19 * DAY,
                    released_by="x",
                )
            )
            self.session.flush()
        return assignment

    def _submit(
        self, assignment: Assignment, account: str, members: list[str], at: dt.datetime, late: bool = False
    ) -> None:
        submission = Submission(
            assignment_id=assignment.id,
            account=account,
            idempotency_key=f"{assignment.name}-{at.isoformat()}",
            sha256=self._keep({f"{assignment.name}.ipynb": account.encode()}),
            file_count=1,
            received_at=at,
            late=late,
        )
        self.session.add(submission)
        self.session.flush()
        self.session.add_all(SubmissionMember(submission_id=submission.id, person_id=m) for m in members)
        self.session.flush()
        self.town.submissions[f"{assignment.name}:{account}"] = submission.id

    def _stage(self, assignment: Assignment) -> None:
        """Stage results as a course workspace does: one broken, one waits for a hand, the rest has points."""
        results = []
        items = [(k, v) for k, v in self.town.submissions.items() if k.startswith(assignment.name)]
        for number, (_key, submission_id) in enumerate(items):
            feedback = self._add_feedback(submission_id)
            result = marks.Result(
                submission_id=submission_id,
                points=Decimal(20 - number % 7) if number != 7 else None,
                max_points=Decimal(20),
                problem="Тетрадката climate-start.ipynb не се отваря: файлът е повреден."
                if number == 7
                else None,
                needs_manual_grade=number == 9,
                feedback_id=feedback.id,
            )
            results.append(result)
        marks.stage_results(self.session, assignment.id, results, "course-x", NOW - dt.timedelta(hours=2))

    def _add_feedback(self, submission_id: str) -> Feedback:
        files = {"feedback/climate-start.html": HOSTILE_FEEDBACK, "feedback/plot.png": b"not a page"}
        feedback = Feedback(
            submission_id=submission_id,
            version=1,
            sha256=self._keep(files),
            staged_at=NOW - dt.timedelta(hours=2),
            staged_by="course-x",
        )
        self.session.add(feedback)
        self.session.flush()
        return feedback

    def _keep(self, files: dict[str, bytes]) -> str:
        """Store an archive as a blob; return its SHA-256."""
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        packed = gzip.compress(raw.getvalue(), mtime=0)
        sha256 = hashlib.sha256(packed).hexdigest()
        path, file = self.blobs.open_incoming()
        file.write(packed)
        self.blobs.keep(path, file, sha256)
        file.close()
        if self.session.get(Blob, sha256) is None:
            self.session.add(Blob(sha256=sha256, size=len(packed), created_at=NOW))
            self.session.flush()
        return sha256


def fresh_town(folder: Path) -> Town:
    """Return an own town in an empty folder. Building takes a second, so it is built once and copied."""
    return copy_town(_build_once(), folder / "town")


@functools.cache
def _build_once() -> Town:
    folder = tempfile.TemporaryDirectory(prefix="atelier-town-")
    atexit.register(folder.cleanup)
    return build_town(Path(folder.name))


def copy_town(town: Town, folder: Path) -> Town:
    """Return a town of the same people and work in another folder."""
    shutil.copytree(town.folder, folder, dirs_exist_ok=True)
    database_url = f"sqlite:///{folder / 'atelier.sqlite'}"
    settings = town.settings.model_copy(
        update={
            "database_url": database_url,
            "blob_dir": folder / "blobs",
            "templates_dir": folder / "templates",
        }
    )
    sessions = make_session_factory(open_database(database_url))
    return Town(folder, settings, town.city, sessions, town.now, town.ids, town.students, town.submissions)
