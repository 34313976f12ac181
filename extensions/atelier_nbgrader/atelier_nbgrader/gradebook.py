"""Writes what the service knows into nbgrader's gradebook: names and due dates. The service wins."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

from atelier_nbgrader.instants import parse_instant


@contextmanager
def open_gradebook(coursedir: Any) -> Iterator[Gradebook]:
    """nbgrader's gradebook, without the warnings that nbgrader 0.9.6 causes with SQLAlchemy 2.1 (rows are
    right)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            yield gradebook


def write_roster(gradebook: Gradebook, roster: Iterable[dict[str, Any]]) -> None:
    """Names of all accounts, so that formgrader shows and sorts them like the class list.

    Roster row: `{account, kind, number, class_name, given_name, family_name, members}`.
    """
    rows = list(roster)
    several = len({row.get("class_name") for row in rows if row["kind"] == "person"}) > 1
    for row in rows:
        first, last = make_names(row, with_class=several)
        gradebook.update_or_create_student(row["account"], first_name=first, last_name=last)


def make_names(row: dict[str, Any], *, with_class: bool) -> tuple[str, str]:
    """(first name, last name) for formgrader, which sorts by the last name as text: № comes first, padded."""
    if row["kind"] == "team":
        members = ", ".join(_find_name(member) for member in row.get("members") or [])
        team = " ".join(part for part in (row.get("given_name"), row.get("family_name")) if part)
        return members or "—", team or row["account"]
    number = row.get("number")
    parts = [
        row.get("class_name") if with_class else None,
        f"{number:02d}" if isinstance(number, int) else None,
        row.get("family_name"),
    ]
    return row.get("given_name") or "—", " ".join(part for part in parts if part) or row["account"]


def _find_name(member: Any) -> str:
    if isinstance(member, dict):
        whole = " ".join(str(member.get(key) or "") for key in ("given_name", "family_name")).strip()
        return whole or str(member.get("display_name") or member.get("account") or "")
    return str(member)


def write_assignments(gradebook: Gradebook, assignments: Iterable[dict[str, Any]]) -> None:
    """Due dates of the service's assignments, as naive UTC, which nbgrader keeps (its own parsing of
    offsets is wrong).

    Assignments that the gradebook does not know yet are made, so that their due date is right from the start.
    """
    for assignment in assignments:
        due = assignment.get("due_at")
        naive = parse_instant(due).astimezone(UTC).replace(tzinfo=None) if due else None
        gradebook.update_or_create_assignment(assignment["name"], duedate=naive)
