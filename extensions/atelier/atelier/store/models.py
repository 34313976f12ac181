"""The tables, as SQLAlchemy 2 declarative classes.

Rules that every table keeps:

* an instant is `Instant`: timezone-aware UTC in Python, whatever the database keeps;
* releases, submissions, feedback, staged results and marks are append-only: a correction is a new version;
* `Table.info["person"]` names how a row is linked to a person ("self", a column, or "none"), so that export
  and erasure can be complete;
* schools are rows of the city file, not of this database: `school_id` is the city file's key.
"""

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from atelier.store.ids import new_id


class Instant(TypeDecorator[dt.datetime]):
    """An instant. Refuses naive datetimes; always returns UTC-aware ones (SQLite itself keeps no zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Base(DeclarativeBase):
    """Base of all tables. Constraint names are fixed so that migrations can address them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dt.datetime: Instant, Decimal: Numeric(9, 3), str: String()}  # noqa: RUF012


Id = String(12)
Account = String(40)


def _in(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# ---------------------------------------------------------------- roster
class Person(Base):
    """Somebody on a roster: one opaque id for life in the city. The id is also the name of the account."""

    __tablename__ = "person"
    __table_args__ = (
        _in("role", "student", "teacher", "school_admin", "operator"),
        {"info": {"person": "self"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    school_id: Mapped[str] = mapped_column(String(40), index=True)
    role: Mapped[str] = mapped_column(String(20))
    given_name: Mapped[str] = mapped_column(String(80))
    family_name: Mapped[str] = mapped_column(String(80))
    language: Mapped[str | None] = mapped_column(String(5), doc="the person's own choice; None: the school's")
    created_at: Mapped[dt.datetime]
    deactivated_at: Mapped[dt.datetime | None]

    identities: Mapped[list["Identity"]] = relationship(back_populates="person", order_by="Identity.id")

    @property
    def active(self) -> bool:
        return self.deactivated_at is None

    @property
    def display_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()


class Identity(Base):
    """A sign-in identity. The e-mail address finds the person once; after that only `subject` counts."""

    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("provider", "subject"),
        # One address is open to one person at a time; a retired row keeps history without blocking it.
        Index(
            "uq_identity_open_email",
            "provider",
            "email",
            unique=True,
            sqlite_where=text("retired_at IS NULL"),
            postgresql_where=text("retired_at IS NULL"),
        ),
        {"info": {"person": "person_id"}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    provider: Mapped[str] = mapped_column(String(40), doc="the provider in the city file, e.g. 'google'")
    email: Mapped[str] = mapped_column(String(254), doc="normalised to lower case")
    subject: Mapped[str | None] = mapped_column(
        String(255), doc="the provider's immutable id; None: not bound"
    )
    bound_at: Mapped[dt.datetime | None]
    retired_at: Mapped[dt.datetime | None]

    person: Mapped[Person] = relationship(back_populates="identities")


class SchoolClass(Base):
    """Students who are taught together, e.g. 7А in the school year that starts in 2026."""

    __tablename__ = "school_class"
    __table_args__ = (UniqueConstraint("school_id", "name", "school_year"), {"info": {"person": "none"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    school_id: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(20))
    school_year: Mapped[int] = mapped_column(doc="the calendar year in which the school year starts")


class ClassMembership(Base):
    """A student in a class, with the number in class (№); open-ended until `until_at`."""

    __tablename__ = "class_membership"
    __table_args__ = ({"info": {"person": "person_id"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[str] = mapped_column(ForeignKey("school_class.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    number: Mapped[int | None] = mapped_column(doc="№ in the class list")
    from_at: Mapped[dt.datetime]
    until_at: Mapped[dt.datetime | None]


class Course(Base):
    """What nbgrader calls a course: a subject taught to classes, or a club across classes and schools.

    `slug` is nbgrader's course id and the folder that students see; unique in the city.
    """

    __tablename__ = "course"
    __table_args__ = (_in("kind", "subject", "club"), {"info": {"person": "none"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    school_id: Mapped[str] = mapped_column(String(40), index=True, doc="the school that answers for it")
    slug: Mapped[str] = mapped_column(String(30), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10), default="subject")
    created_at: Mapped[dt.datetime]
    archived_at: Mapped[dt.datetime | None]


class CourseClass(Base):
    """A class that is taught in a course: its current students are the course's students."""

    __tablename__ = "course_class"
    __table_args__ = (UniqueConstraint("course_id", "class_id"), {"info": {"person": "none"}})

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"))
    class_id: Mapped[str] = mapped_column(ForeignKey("school_class.id"), index=True)


class Enrolment(Base):
    """One person in one course by name: its teachers, and students of clubs or from other classes."""

    __tablename__ = "enrolment"
    __table_args__ = (_in("role", "student", "teacher"), {"info": {"person": "person_id"}})

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    from_at: Mapped[dt.datetime]
    until_at: Mapped[dt.datetime | None]


class RosterChange(Base):
    """A counter of what may change rights: the steward acts when it sees a new row."""

    __tablename__ = "roster_change"
    __table_args__ = ({"info": {"person": "none"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(80))
    at: Mapped[dt.datetime]


class WorkspaceStop(Base):
    """A workspace that must be stopped because a right in it ended. Written before the right is revoked, so
    that a steward that dies in between still stops it: an open websocket is only cut by a stop."""

    __tablename__ = "workspace_stop"
    __table_args__ = ({"info": {"person": "none"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(Account, index=True)
    reason: Mapped[str] = mapped_column(String(80))
    requested_at: Mapped[dt.datetime]
    done_at: Mapped[dt.datetime | None]


# ---------------------------------------------------------------- projects
class Project(Base):
    """A piece of project-based learning in a course."""

    __tablename__ = "project"
    __table_args__ = ({"info": {"person": "none"}},)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    driving_question: Mapped[str] = mapped_column(String(1000), default="")
    template: Mapped[str | None] = mapped_column(String(80), doc="folder below course_templates/")
    plan: Mapped[dict[str, Any] | None] = mapped_column(
        JSON,
        doc="{'milestones': [...], 'rubric': [...]}, validated by atelier.projects.template",
    )
    created_at: Mapped[dt.datetime]


class Team(Base):
    """The students who do one project together. Its account is `team-<id>`."""

    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("project_id", "name"), {"info": {"person": "none"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[dt.datetime]
    dissolved_at: Mapped[dt.datetime | None]


class TeamMembership(Base):
    __tablename__ = "team_membership"
    __table_args__ = ({"info": {"person": "person_id"}},)

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    from_at: Mapped[dt.datetime]
    until_at: Mapped[dt.datetime | None]


class Assignment(Base):
    """nbgrader's assignment. `due_at` is an instant; the school's zone only shows it."""

    __tablename__ = "assignment"
    __table_args__ = (
        UniqueConstraint("course_id", "name"),
        _in("kind", "individual", "team"),
        {"info": {"person": "none"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id"), doc="set when kind is 'team'")
    name: Mapped[str] = mapped_column(String(80), doc="nbgrader's assignment id: [a-z0-9][a-z0-9_-]*")
    title: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10), default="individual")
    due_at: Mapped[dt.datetime | None]
    zone: Mapped[str] = mapped_column(String(40), doc="IANA zone in which due_at was set and is shown")
    created_at: Mapped[dt.datetime]


# ---------------------------------------------------------------- exchange
class Blob(Base):
    """Bytes on disk, addressed by their SHA-256. Stored once however often they are referred to."""

    __tablename__ = "blob"
    __table_args__ = ({"info": {"person": "none"}},)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(doc="bytes")
    created_at: Mapped[dt.datetime]


class Release(Base):
    """A version of an assignment's student files. The newest version is the one that students fetch."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("assignment_id", "version"), {"info": {"person": "none"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    released_at: Mapped[dt.datetime]
    released_by: Mapped[str] = mapped_column(Account, doc="account")


class Submission(Base):
    """An archive that an account submitted. Its id, time and SHA-256 are the receipt."""

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("account", "idempotency_key"),
        Index("ix_submission_assignment_account", "assignment_id", "account"),
        {"info": {"person": "account"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    account: Mapped[str] = mapped_column(Account, doc="a person's id or team-<id>")
    idempotency_key: Mapped[str] = mapped_column(String(80))
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    file_count: Mapped[int]
    received_at: Mapped[dt.datetime] = mapped_column(doc="server's time when the last byte had arrived")
    late: Mapped[bool] = mapped_column(doc="received_at > the due_at of that moment")

    members: Mapped[list["SubmissionMember"]] = relationship(back_populates="submission")


class SubmissionMember(Base):
    """Who a submission counts for: the team's members at that moment, or the one person."""

    __tablename__ = "submission_member"
    __table_args__ = ({"info": {"person": "person_id"}},)

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)

    submission: Mapped[Submission] = relationship(back_populates="members")


class Feedback(Base):
    """A version of the feedback files for one submission. Students see the newest *confirmed* one."""

    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("submission_id", "version"), {"info": {"person": "submission_id"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    staged_at: Mapped[dt.datetime]
    staged_by: Mapped[str] = mapped_column(Account)
    confirmed_at: Mapped[dt.datetime | None] = mapped_column(doc="set once, when the marks were confirmed")


# ---------------------------------------------------------------- marks
class StagedResult(Base):
    """What a course workspace released for one submission; not yet a mark."""

    __tablename__ = "staged_result"
    __table_args__ = (UniqueConstraint("submission_id", "version"), {"info": {"person": "submission_id"}})

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    version: Mapped[int]
    points: Mapped[Decimal | None] = mapped_column(doc="None: not gradable, see `problem`")
    max_points: Mapped[Decimal | None]
    problem: Mapped[str | None] = mapped_column(String(500), doc="why there are no points, for the teacher")
    needs_manual_grade: Mapped[bool] = mapped_column(default=False)
    feedback_id: Mapped[str | None] = mapped_column(ForeignKey("feedback.id"))
    staged_at: Mapped[dt.datetime]
    staged_by: Mapped[str] = mapped_column(Account)


class Mark(Base):
    """A result of one person for one assignment, confirmed by a teacher in her own session."""

    __tablename__ = "mark"
    __table_args__ = (
        UniqueConstraint("assignment_id", "person_id", "version"),
        {"info": {"person": "person_id"}},
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    assignment_id: Mapped[str] = mapped_column(ForeignKey("assignment.id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    version: Mapped[int]
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    staged_result_id: Mapped[str] = mapped_column(ForeignKey("staged_result.id"))
    points: Mapped[Decimal] = mapped_column(doc="after the adjustment")
    max_points: Mapped[Decimal]
    adjustment: Mapped[Decimal] = mapped_column(default=Decimal(0), doc="points the teacher added")
    mark: Mapped[str] = mapped_column(String(10), doc="on the school's scale, as printed: '5.50' or '87%'")
    scale: Mapped[str] = mapped_column(String(20), doc="name of the scale that was used")
    confirmed_by: Mapped[str] = mapped_column(ForeignKey("person.id"))
    confirmed_at: Mapped[dt.datetime]


# ---------------------------------------------------------------- lessons
class Lesson(Base):
    """An announced lesson of a course, once or every week: its workspaces are started before the bell.

    Kept as the school's clock shows it: a lesson at 08:00 stays at 08:00 when clocks change.
    """

    __tablename__ = "lesson"
    __table_args__ = ({"info": {"person": "announced_by"}},)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"), index=True)
    first_on: Mapped[dt.date] = mapped_column(doc="local day of the first lesson")
    last_on: Mapped[dt.date] = mapped_column(doc="last local day, inclusive; `first_on`: not repeated")
    bell: Mapped[dt.time] = mapped_column(doc="local time of the bell")
    fold: Mapped[int] = mapped_column(default=0, doc="1: the second time that the clock shows it that day")
    zone: Mapped[str] = mapped_column(String(40), doc="IANA zone of that clock")
    minutes: Mapped[int]
    personal: Mapped[bool] = mapped_column(doc="the students' personal workspaces")
    project_id: Mapped[str | None] = mapped_column(
        ForeignKey("project.id"), doc="the workspaces of its teams; None: of no team"
    )
    announced_by: Mapped[str] = mapped_column(ForeignKey("person.id"))
    announced_at: Mapped[dt.datetime]
    removed_at: Mapped[dt.datetime | None]


class LessonClass(Base):
    """A class that a lesson is for. A lesson without any is for all students of its course."""

    __tablename__ = "lesson_class"
    __table_args__ = ({"info": {"person": "none"}},)

    lesson_id: Mapped[str] = mapped_column(ForeignKey("lesson.id"), primary_key=True)
    class_id: Mapped[str] = mapped_column(ForeignKey("school_class.id"), primary_key=True)


class LessonSkip(Base):
    """A day on which a weekly lesson is not held."""

    __tablename__ = "lesson_skip"
    __table_args__ = ({"info": {"person": "none"}},)

    lesson_id: Mapped[str] = mapped_column(ForeignKey("lesson.id"), primary_key=True)
    held_on: Mapped[dt.date] = mapped_column(primary_key=True, doc="local day")
    at: Mapped[dt.datetime] = mapped_column(doc="when it was taken out")


# ---------------------------------------------------------------- sessions of the pages
class WebSession(Base):
    """A signed-in browser on the service's own origin. The cookie holds a secret; this row its SHA-256."""

    __tablename__ = "web_session"
    __table_args__ = ({"info": {"person": "person_id"}},)

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    identity_checked_at: Mapped[dt.datetime]
