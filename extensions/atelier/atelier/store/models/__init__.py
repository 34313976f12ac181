"""The tables, as SQLAlchemy 2 declarative classes.

Rules that every table keeps:

* an instant is `Instant`: timezone-aware UTC in Python, whatever the database keeps;
* releases, submissions, feedback, staged results and marks are append-only: a correction is a new version;
* `Table.info["person"]` names how a row is linked to a person ("self", a column, or "none"), so that export
  and erasure can be complete;
* schools are rows of the city file, not of this database: `school_id` is the city file's key.

One module for each room. They are imported from here only, so that whoever has one table has them all.
"""

from atelier.store.models.base import Account, Base, Id, Instant, Lasting
from atelier.store.models.exchange import Blob, Feedback, Release, Submission, SubmissionMember
from atelier.store.models.lessons import Lesson, LessonClass, LessonSkip
from atelier.store.models.marks import Mark, StagedResult
from atelier.store.models.pages import WebSession
from atelier.store.models.projects import Assignment, Project, Team, TeamMembership
from atelier.store.models.roster import (
    ClassMembership,
    Course,
    CourseClass,
    Enrolment,
    Identity,
    Person,
    SchoolClass,
)
from atelier.store.models.steward import RosterChange, WorkspaceStop

__all__ = [
    "Account",
    "Assignment",
    "Base",
    "Blob",
    "ClassMembership",
    "Course",
    "CourseClass",
    "Enrolment",
    "Feedback",
    "Id",
    "Identity",
    "Instant",
    "Lasting",
    "Lesson",
    "LessonClass",
    "LessonSkip",
    "Mark",
    "Person",
    "Project",
    "Release",
    "RosterChange",
    "SchoolClass",
    "StagedResult",
    "Submission",
    "SubmissionMember",
    "Team",
    "TeamMembership",
    "WebSession",
    "WorkspaceStop",
]
