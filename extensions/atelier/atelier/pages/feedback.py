"""Files that people get from the pages: who may have which, and what is in an archive of feedback."""

import datetime as dt
import tarfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from atelier import exchange, projects, roster
from atelier.pages.answers import Absent
from atelier.pages.visitors import Visitor
from atelier.store import parse_account
from atelier.store.models import Assignment, Course

MAX_FILE_BYTES = 20_000_000
MAX_FILES = 200


@dataclass(frozen=True)
class Download:
    """A stored archive and what it is called on the visitor's machine."""

    sha256: str
    file_name: str
    title: str


@dataclass(frozen=True)
class FeedbackFile:
    """An HTML file in an archive of feedback; addressed by its number, never by its name."""

    number: int
    name: str
    size: int


def find_submission_blob(
    session: Session, visitor: Visitor, submission_id: str, now: dt.datetime
) -> Download:
    """Return a submission that counts for the visitor, is the visitor's team's, or of a course taught.

    Raises Absent.
    """
    submission = exchange.find_submission(session, submission_id)
    if submission is None:
        raise Absent
    assignment = projects.get_assignment(session, submission.assignment_id)
    allowed = (
        exchange.counts_for(session, submission_id, visitor.id)
        or _is_of_team(session, submission.account, visitor.id, now)
        or roster.is_teacher(session, visitor.id, assignment.course_id, now)
    )
    if not allowed:
        raise Absent
    return _make_download(session, assignment, submission.sha256, submission_id)


def find_feedback(session: Session, visitor: Visitor, submission_id: str, now: dt.datetime) -> Download:
    """Return the newest confirmed feedback of a submission of the visitor, or of a course taught.

    Raises Absent.
    """
    submission = exchange.find_submission(session, submission_id)
    if submission is None:
        raise Absent
    assignment = projects.get_assignment(session, submission.assignment_id)
    taught = roster.is_teacher(session, visitor.id, assignment.course_id, now)
    if not taught and not exchange.counts_for(session, submission_id, visitor.id):
        raise Absent
    feedback = exchange.find_confirmed_feedback(session, [submission_id])
    if feedback is None:
        raise Absent
    return _make_download(session, assignment, feedback.sha256, f"feedback-{submission_id}")


def list_feedback_files(archive: Path) -> list[FeedbackFile]:
    """Return the HTML files of an archive, in its order."""
    with tarfile.open(archive, "r:gz") as tar:
        return [
            FeedbackFile(number, member.name.rpartition("/")[2], member.size)
            for number, member in enumerate(tar)
            if _is_page(member) and number < MAX_FILES
        ]


def read_feedback_file(archive: Path, number: str) -> bytes:
    """Return one HTML file of an archive. Raises Absent."""
    with tarfile.open(archive, "r:gz") as tar:
        for at, member in enumerate(tar):
            if str(at) == number and at < MAX_FILES and _is_page(member):
                source = tar.extractfile(member)
                return source.read(MAX_FILE_BYTES) if source else b""
    raise Absent


def _is_page(member: tarfile.TarInfo) -> bool:
    return member.isreg() and member.name.lower().endswith(".html") and member.size <= MAX_FILE_BYTES


def _is_of_team(session: Session, account: str, person_id: str, now: dt.datetime) -> bool:
    """Whether the account is a team that the person is in now: its archives lie in its workspace anyway."""
    kind, team_id = parse_account(account)
    if kind != "team":
        return False
    return any(team.id == team_id for team in projects.list_teams_of(session, person_id, now))


def _make_download(session: Session, assignment: Assignment, sha256: str, tail: str) -> Download:
    course = session.get_one(Course, assignment.course_id)
    return Download(sha256, f"{course.slug}-{assignment.name}-{tail}.tar.gz", assignment.title)
