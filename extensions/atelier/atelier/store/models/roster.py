"""Who is there: people, how they sign in, classes, courses and who is in which."""

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from atelier.store.ids import new_id
from atelier.store.models.base import Base, Id, Lasting, one_of


class Person(Base):
    """Somebody on a roster: one opaque id for life in the city. The id is also the name of the account."""

    __tablename__ = "person"
    __table_args__ = (
        one_of("role", "student", "teacher", "school_admin", "operator"),
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


class ClassMembership(Lasting, Base):
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
    __table_args__ = (one_of("kind", "subject", "club"), {"info": {"person": "none"}})

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


class Enrolment(Lasting, Base):
    """One person in one course by name: its teachers, and students of clubs or from other classes."""

    __tablename__ = "enrolment"
    __table_args__ = (one_of("role", "student", "teacher"), {"info": {"person": "person_id"}})

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("course.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    from_at: Mapped[dt.datetime]
    until_at: Mapped[dt.datetime | None]
