"""Projects of a course, their teams, assignments with deadlines."""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atelier.store.ids import new_id
from atelier.store.models.base import Base, Id, Lasting, one_of


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


class TeamMembership(Lasting, Base):
    """A student in a team; who left it keeps what was handed in meanwhile."""

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
        one_of("kind", "individual", "team"),
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
