"""Who lives in the pages' town, and what they have handed in. Some names and files are hostile."""

import datetime as dt
import gzip
import hashlib
import io
import tarfile
from decimal import Decimal
from typing import TYPE_CHECKING

from atelier import lessons, marks, projects
from atelier.store.blobs import BlobStore
from atelier.store.ids import team_account
from atelier.store.models import (
    Assignment,
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
)
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from tests.pages_town import Town

NOW = dt.datetime(2026, 11, 23, 9, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
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


class Seed:
    """Fills the town, with the rooms' own functions where there are any."""

    def __init__(self, town: "Town", session: Session, blobs: BlobStore) -> None:
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
