"""Announced lessons, for which workspaces are started before the bell."""

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from atelier.store.ids import new_id
from atelier.store.models.base import Base, Id


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
