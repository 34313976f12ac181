"""A small school for tests of the middle rooms: one class, one teacher, one course."""

import datetime as dt
from dataclasses import dataclass

from atelier import projects
from atelier.store.models import (
    Blob,
    ClassMembership,
    Course,
    Feedback,
    Person,
    Project,
    SchoolClass,
    Submission,
    SubmissionMember,
    Team,
)
from sqlalchemy.orm import Session

from hub_config.city import City, School, parse_city

NOW = dt.datetime(2026, 11, 9, 8, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
NAMES = [
    ("Ада", "Ангелова"),
    ("Борис", "Бонев"),
    ("=HYPERLINK(1)", "Велев"),
    ("Яна", "Гюрова-Ўайт"),
    ("Елена", "Димова"),
]
CITY = """
name: Град
schools:
  sou-1:
    name: Първо училище
    domains: [sou1.example]
    zone: Europe/Sofia
    first_administrator: admin@sou1.example
  sou-2:
    name: Второ училище
    domains: [sou2.example]
    scale: {kind: percent}
    first_administrator: admin@sou2.example
"""


@dataclass
class SmallSchool:
    """What the tests work with; `session` is open and never committed."""

    session: Session
    city: City
    teacher: Person
    students: list[Person]
    school_class: SchoolClass
    course: Course
    project: Project

    @property
    def school(self) -> School:
        return self.city.find_school("sou-1")

    def add_person(self, role: str, given_name: str, family_name: str, school_id: str = "sou-1") -> Person:
        person = Person(
            school_id=school_id, role=role, given_name=given_name, family_name=family_name, created_at=NOW
        )
        self.session.add(person)
        self.session.flush()
        return person

    def add_team(self, name: str, *members: Person) -> Team:
        team = projects.create_team(self.session, self.project.id, name, NOW)
        projects.set_team_members(self.session, team.id, [m.id for m in members], NOW)
        return team

    def submit(
        self, assignment_id: str, account: str, members: list[Person], at: dt.datetime, late: bool = False
    ) -> Submission:
        """Store a submission's rows as the exchange does."""
        sha256 = f"{abs(hash((account, at))):064x}"[:64]
        self.session.add(Blob(sha256=sha256, size=10, created_at=at))
        submission = Submission(
            assignment_id=assignment_id,
            account=account,
            idempotency_key=at.isoformat(),
            sha256=sha256,
            file_count=1,
            received_at=at,
            late=late,
        )
        self.session.add(submission)
        self.session.flush()
        self.session.add_all(SubmissionMember(submission_id=submission.id, person_id=m.id) for m in members)
        self.session.flush()
        return submission

    def add_feedback(self, submission: Submission, version: int = 1) -> Feedback:
        feedback = Feedback(
            submission_id=submission.id,
            version=version,
            sha256=submission.sha256,
            staged_at=NOW,
            staged_by=f"course-{self.course.id}",
        )
        self.session.add(feedback)
        self.session.flush()
        return feedback


def open_small_school(session: Session) -> SmallSchool:
    """Return the school in the empty database of `session`."""
    city = parse_city(CITY)
    teacher = Person(
        school_id="sou-1", role="teacher", given_name="Мария", family_name="Учителска", created_at=NOW
    )
    school_class = SchoolClass(school_id="sou-1", name="8А", school_year=2026)
    students = [
        Person(school_id="sou-1", role="student", given_name=given, family_name=family, created_at=NOW)
        for given, family in NAMES
    ]
    session.add_all([teacher, school_class, *students])
    session.flush()
    session.add_all(
        ClassMembership(class_id=school_class.id, person_id=s.id, number=n, from_at=NOW - HOUR)
        for n, s in enumerate(students, 1)
    )
    session.flush()
    course = projects.create_course(
        session,
        title="География 8А",
        school=city.find_school("sou-1"),
        class_ids=[school_class.id],
        teacher_id=teacher.id,
        now=NOW,
    )
    project = projects.create_project(session, course.id, title="Климат", now=NOW)
    return SmallSchool(session, city, teacher, students, school_class, course, project)
