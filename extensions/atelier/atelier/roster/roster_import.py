"""Bringing a school's roster to what its file says, and telling line by line what that changes.

The changes are made in the caller's session: a dry run rolls them back, so what it shows is what an import
does. With any problem nothing is kept. Nobody is deleted, and nobody's work, whatever the file leaves out.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atelier.roster.people import deactivate, note_change, reactivate
from atelier.roster.roster_file import RosterFile, RosterProblem, RosterRow
from atelier.store import SessionFactory
from atelier.store.models import ClassMembership, Course, Enrolment, Identity, Person, SchoolClass
from atelier.texts import N_
from hub_config.city import School

Verb = Literal["new", "changed", "same", "left", "returned"]
YEAR_STARTS_IN_MONTH = 8  # lists of the new school year are made from August on


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value before and after; None is "nothing"."""

    field: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class RowChange:
    """What the import does with one person. `line` is None for somebody who is not in the file."""

    line: int | None
    email: str
    name: str
    verb: Verb = "same"
    fields: list[FieldChange] = field(default_factory=list)

    def note(self, name: str, old: object, new: object) -> None:
        if old != new:
            texts = [None if value is None else str(value) for value in (old, new)]
            self.fields.append(FieldChange(name, *texts))
            self.verb = "changed" if self.verb == "same" else self.verb


@dataclass
class ImportReport:
    """The difference, line by line; what stands in the way; who of the file's classes is not in the file."""

    changes: list[RowChange] = field(default_factory=list)
    problems: list[RosterProblem] = field(default_factory=list)
    absent: list[Person] = field(default_factory=list)
    applied: bool = False


def run_import(
    sessions: SessionFactory,
    school: School,
    file: RosterFile,
    now: dt.datetime,
    *,
    apply: bool = False,
    leavers: bool = False,
    allow_operators: bool = False,
) -> ImportReport:
    """Import a file into one school, or only say what that would do (`apply=False`). All or nothing.

    `leavers`: deactivate the students of the file's classes who are not in the file. `allow_operators`: the
    file may make operators (a command on the server may, a school's own page may not).
    """
    report = ImportReport(problems=list(file.problems))
    session = sessions(bind=sessions.kw["bind"].execution_options(atelier_write=True))
    with session:
        try:
            if not report.problems:
                _Import(session, school, now, allow_operators, report).run(file.rows, leavers)
            if apply and not report.problems:
                session.commit()
                report.applied = True
        except IntegrityError:
            message = N_("Somebody else changed the roster at the same moment. Do it again.")
            report.problems.append(RosterProblem(None, message))
        session.rollback()
    return report


def find_school_year(now: dt.datetime, school: School) -> int:
    """Return the calendar year in which the school year of `now` starts."""
    local = now.astimezone(school.zone_info)
    return local.year if local.month >= YEAR_STARTS_IN_MONTH else local.year - 1


@dataclass
class _Import:
    session: Session
    school: School
    now: dt.datetime
    allow_operators: bool
    report: ImportReport

    def run(self, rows: Sequence[RosterRow], leavers: bool) -> None:
        seen = {person.id for row in rows if (person := self._import_row(row)) is not None}
        classes = {row.class_name for row in rows if row.class_name}
        self.report.absent = self._list_absent(classes, seen)
        if leavers:
            for person in self.report.absent:
                self._deactivate_absent(person)
        if any(change.verb != "same" for change in self.report.changes):
            note_change(self.session, f"roster of {self.school.id} imported", self.now)

    def _import_row(self, row: RosterRow) -> Person | None:
        if not self._check_row(row):
            return None
        change = RowChange(row.line, row.email, f"{row.given_name} {row.family_name}")
        self.report.changes.append(change)
        identity = self._find_identity(row.email)
        if identity is None:
            person = self._add_person(row, change)
        else:
            person = identity.person
            if not self._check_same_person(row, person):
                return person
            self._update_person(row, person, change)
        self._set_class(row, person, change)
        self._set_courses(row, person, change)
        self._set_status(row, person, change)
        return person

    # ---------------------------------------- checks
    def _check_row(self, row: RosterRow) -> bool:
        if row.email.rpartition("@")[2] not in self.school.domains:
            message = N_("%(email)s is of none of the school's domains (%(domains)s). Correct the address.")
            return self._refuse(row, message, email=row.email, domains=", ".join(self.school.domains))
        if row.role == "operator" and not self.allow_operators:
            return self._refuse(row, N_("Operators cannot be made here. Ask the city's operators."))
        return True

    def _check_same_person(self, row: RosterRow, person: Person) -> bool:
        """An address may change hands: whoever has it next must not become the person who had it before."""
        if person.school_id != self.school.id:
            message = N_("%(email)s belongs to a person of another school. Ask the city's operators.")
            return self._refuse(row, message, email=row.email)
        if person.given_name != row.given_name and person.family_name != row.family_name:
            message = N_(
                "%(email)s belongs to %(name)s. A new owner: atelier roster release %(email)s first. "
                "The same person: atelier roster rename %(email)s GIVEN FAMILY first."
            )
            return self._refuse(row, message, email=row.email, name=person.display_name)
        return True

    def _refuse(self, row: RosterRow, message: str, **values: object) -> bool:
        self.report.problems.append(RosterProblem(row.line, message, values))
        return False

    # ---------------------------------------- people
    def _find_identity(self, email: str) -> Identity | None:
        query = select(Identity).where(
            Identity.provider == self.school.provider,
            Identity.email == email,
            Identity.retired_at.is_(None),
        )
        return self.session.scalars(query).one_or_none()

    def _add_person(self, row: RosterRow, change: RowChange) -> Person:
        change.verb = "new"
        person = Person(
            school_id=self.school.id,
            role=row.role,
            given_name=row.given_name,
            family_name=row.family_name,
            created_at=self.now,
        )
        self.session.add(person)
        self.session.flush()
        self.session.add(Identity(person_id=person.id, provider=self.school.provider, email=row.email))
        change.note("role", None, row.role)
        return person

    def _update_person(self, row: RosterRow, person: Person, change: RowChange) -> None:
        for name in ("given_name", "family_name", "role"):
            change.note(name, getattr(person, name), getattr(row, name))
            setattr(person, name, getattr(row, name))

    def _set_status(self, row: RosterRow, person: Person, change: RowChange) -> None:
        if row.left and person.active:
            deactivate(self.session, person.id, self.now)
            change.verb = "left"
        elif not row.left and not person.active:
            reactivate(self.session, person.id, self.now)
            change.verb = "returned"

    def _deactivate_absent(self, person: Person) -> None:
        deactivate(self.session, person.id, self.now)
        email = person.identities[0].email if person.identities else ""
        self.report.changes.append(RowChange(None, email, person.display_name, "left"))

    # ---------------------------------------- classes
    def _set_class(self, row: RosterRow, person: Person, change: RowChange) -> None:
        if row.class_name is None or row.role != "student":
            return
        wanted = self._ensure_class(row.class_name)
        current = self._list_memberships(person)
        for membership, school_class in current:
            if school_class.id != wanted.id:
                membership.until_at = self.now
        kept = next((m for m, school_class in current if school_class.id == wanted.id), None)
        change.note("class", current[0][1].name if current else None, wanted.name)
        number = current[0][0].number if current else None
        if row.number is not None or kept is None:  # a file without № takes no № away
            change.note("number", number, row.number)
            number = row.number
        if kept is not None:
            kept.number = number
        else:
            self.session.add(
                ClassMembership(class_id=wanted.id, person_id=person.id, number=row.number, from_at=self.now)
            )
        self.session.flush()

    def _ensure_class(self, name: str) -> SchoolClass:
        year = find_school_year(self.now, self.school)
        query = select(SchoolClass).where(
            SchoolClass.school_id == self.school.id,
            SchoolClass.name == name,
            SchoolClass.school_year == year,
        )
        found = self.session.scalars(query).one_or_none()
        if found is None:
            found = SchoolClass(school_id=self.school.id, name=name, school_year=year)
            self.session.add(found)
            self.session.flush()
        return found

    def _list_memberships(self, person: Person) -> list[tuple[ClassMembership, SchoolClass]]:
        query = (
            select(ClassMembership, SchoolClass)
            .join(SchoolClass, SchoolClass.id == ClassMembership.class_id)
            .where(ClassMembership.person_id == person.id, ClassMembership.until_at.is_(None))
            .order_by(ClassMembership.id.desc())
        )
        return [(membership, school_class) for membership, school_class in self.session.execute(query)]

    def _list_absent(self, class_names: set[str], seen: set[str]) -> list[Person]:
        query = (
            select(Person)
            .join(ClassMembership, ClassMembership.person_id == Person.id)
            .join(SchoolClass, SchoolClass.id == ClassMembership.class_id)
            .where(SchoolClass.school_id == self.school.id, SchoolClass.name.in_(class_names))
            .where(SchoolClass.school_year == find_school_year(self.now, self.school))
            .where(ClassMembership.until_at.is_(None), Person.deactivated_at.is_(None))
            .where(Person.role == "student")
        )
        people = {person.id: person for person in self.session.scalars(query) if person.id not in seen}
        return sorted(people.values(), key=lambda p: (p.family_name, p.given_name, p.id))

    # ---------------------------------------- courses
    def _set_courses(self, row: RosterRow, person: Person, change: RowChange) -> None:
        """Enrol by name in the courses of the cell. A course that is not in the cell is left as it is."""
        for slug in row.courses:
            course = self.session.scalars(select(Course).where(Course.slug == slug)).one_or_none()
            if course is None or (course.kind != "club" and course.school_id != self.school.id):
                self._refuse(
                    row,
                    N_("The school has no course %(slug)s. Create it first, or remove it here."),
                    slug=slug,
                )
                continue
            role = "teacher" if row.role in ("teacher", "school_admin") else "student"
            query = select(Enrolment.id).where(
                Enrolment.course_id == course.id,
                Enrolment.person_id == person.id,
                Enrolment.role == role,
                Enrolment.until_at.is_(None),
            )
            if self.session.scalars(query).first() is None:
                self.session.add(
                    Enrolment(course_id=course.id, person_id=person.id, role=role, from_at=self.now)
                )
                change.note("course", None, slug)
