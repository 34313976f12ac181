"""`atelier roster …` and `atelier course …`: what an operator does to people and courses by hand.

Answers come in Bulgarian or English: `--language`, else the school's, else the city's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from atelier import projects, roster
from atelier.commands.environment import load_or_explain
from atelier.roster import ImportReport, RowChange, read_roster, run_import
from atelier.settings import StoreSettings
from atelier.store import SessionFactory, make_session_factory, open_database, utc_now
from atelier.store.models import Person
from atelier.texts import N_, Texts, translate
from hub_config.city import City, CityError, School, load_city

app = typer.Typer(no_args_is_help=True, help="People: import, list, deactivate.")
courses = typer.Typer(no_args_is_help=True, help="Courses.")

SchoolId = Annotated[str, typer.Option("--school", help="The school's id in the city file.")]
Email = Annotated[str, typer.Argument(help="The person's e-mail address.")]
Language = Annotated[str | None, typer.Option(help="bg or en; default: the school's.")]

VERBS = {
    "new": N_("new"),
    "changed": N_("changed"),
    "same": N_("unchanged"),
    "left": N_("deactivated"),
    "returned": N_("active again"),
}
FIELDS = {
    "given_name": N_("given name"),
    "family_name": N_("family name"),
    "role": N_("role"),
    "class": N_("class"),
    "number": N_("№"),
    "course": N_("course"),
}
ROLES = {
    "student": N_("student"),
    "teacher": N_("teacher"),
    "school_admin": N_("administrator"),
    "operator": N_("operator"),
}


@dataclass(frozen=True)
class Desk:
    """What a command works with."""

    city: City
    sessions: SessionFactory


def open_desk() -> Desk:
    """Open the city file and the database of the environment; says what is wrong and ends otherwise."""
    settings = load_or_explain(StoreSettings)
    try:
        city = load_city(settings.city_file)
    except CityError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    return Desk(city, make_session_factory(open_database(settings.database_url)))


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: UTF-8 or cp1251, separated by ; or , or tabs.")],
    school_id: SchoolId,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without it only the difference is shown.")
    ] = False,
    leavers: Annotated[
        bool, typer.Option("--leavers", help="Deactivate students of the file's classes who are not in it.")
    ] = False,
    language: Language = None,
) -> None:
    """Bring a school's roster to what FILE says. Shows the difference; all or nothing; deletes nothing."""
    desk = open_desk()
    school = _find_school(desk.city, school_id)
    try:
        file_read = read_roster(file.read_bytes())
    except OSError as error:
        _fail(f"{file}: {error.strerror}")
    now = utc_now()
    report = run_import(
        desk.sessions, school, file_read, now, apply=apply, leavers=leavers, allow_operators=True
    )
    _ = translate(language or school.language)
    for line in _describe(report, file_read.unused_columns, apply, leavers, _):
        typer.echo(line)
    if report.problems:
        raise typer.Exit(1)


@app.command("list")
def list_people(school_id: SchoolId, language: Language = None) -> None:
    """List everybody of a school: id, role, name, addresses, and whether the person may sign in."""
    desk = open_desk()
    school = _find_school(desk.city, school_id)
    _ = translate(language or school.language)
    with desk.sessions() as session:
        for person in roster.list_people(session, school.id):
            emails = ", ".join(i.email for i in person.identities if i.retired_at is None)
            state = "" if person.active else f"  [{_('deactivated')}]"
            typer.echo(f"{person.id}  {_(ROLES[person.role]):14} {person.display_name}  {emails}{state}")


@app.command()
def deactivate(email: Email) -> None:
    """End a person's access everywhere within a minute. Work, marks and home stay."""
    with _person(email) as (session, person):
        roster.deactivate(session, person.id, utc_now())


@app.command()
def reactivate(email: Email) -> None:
    """Give a deactivated person access again, with the same home."""
    with _person(email) as (session, person):
        roster.reactivate(session, person.id, utc_now())


@app.command()
def rename(email: Email, given: str, family: str) -> None:
    """Correct a person's name."""
    with _person(email) as (session, person):
        roster.rename(session, person.id, given, family)


@app.command()
def release(email: Email) -> None:
    """Take an address from a person who no longer has it, so that a roster may give it to somebody else."""
    with _person(email) as (session, _owner):
        roster.release_address(session, email, utc_now())


@app.command("change-address")
def change_address(email: Email, new: Annotated[str, typer.Argument(help="The new address.")]) -> None:
    """Give a person a new address. Id, home and marks stay; the new address binds at the next sign-in.

    The same address twice: the school made the account anew, and its owner is told "address taken".
    """
    with _person(email) as (session, _owner):
        roster.change_address(session, email, new, utc_now())


@courses.command("create")
def create_course(
    title: Annotated[str, typer.Argument(help="The course's title as people read it.")],
    school_id: SchoolId,
    teacher: Annotated[str, typer.Option(help="E-mail address of its first teacher.")],
    class_name: Annotated[list[str] | None, typer.Option("--class", help="A class taught in it.")] = None,
    slug: Annotated[str | None, typer.Option(help="Short name: nbgrader's course id.")] = None,
) -> None:
    """Create a course without a project, with its classes and its first teacher."""
    desk = open_desk()
    school = _find_school(desk.city, school_id)
    try:
        with desk.sessions.begin() as session:
            person = roster.find_person_by_email(session, teacher, school.provider)
            ids = [roster.find_class(session, school.id, name).id for name in class_name or []]
            course = projects.create_course(
                session,
                title=title,
                school=school,
                class_ids=ids,
                teacher_id=person.id,
                now=utc_now(),
                slug=slug,
            )
    except (LookupError, projects.ProjectError) as error:
        _fail(error.args[0] if isinstance(error, LookupError) else error)
    typer.echo(f"{course.slug}: {course.title}")


@contextmanager
def _person(email: str) -> Iterator[tuple[Session, Person]]:
    """Find a person for one change; say what was done or why not."""
    desk = open_desk()
    try:
        with desk.sessions.begin() as session:
            person = roster.find_person_by_email(session, email)
            yield session, person
    except (LookupError, ValueError) as error:
        _fail(error.args[0])
    state = "active" if person.active else "deactivated"
    typer.echo(f"{person.id}  {person.display_name}: {state}")


def _find_school(city: City, school_id: str) -> School:
    if school_id not in city.schools:
        _fail(f"the city file has no school {school_id!r}; it has: {', '.join(city.schools)}")
    return city.schools[school_id]


def _fail(message: object) -> "typer.Exit":
    typer.echo(message, err=True)
    raise typer.Exit(1)


# ------------------------------------------------ the report in words
def _describe(report: ImportReport, unused: list[str], apply: bool, leavers: bool, _: Texts) -> Iterator[str]:
    for change in report.changes:
        if change.verb != "same":
            yield _describe_change(change, _)
    if unused:
        yield _("Columns that are not used: %(titles)s") % {"titles": ", ".join(unused)}
    if report.absent and not leavers:
        names = ", ".join(person.display_name for person in report.absent)
        yield _("Not in the file, left as they are: %(names)s") % {"names": names}
    for problem in report.problems:
        yield _("Problem: ") + problem.text(_)
    yield _describe_end(report, apply, _)


def _describe_change(change: RowChange, _: Texts) -> str:
    where = "" if change.line is None else _("line %(line)d: ") % {"line": change.line}
    parts = []
    for one in change.fields:
        new = _(ROLES[one.new]) if one.field == "role" and one.new else one.new
        old = _(ROLES[one.old]) if one.field == "role" and one.old else one.old
        parts.append(f"{_(FIELDS[one.field])} {f'{old} → ' if old is not None else ''}{new}")
    details = f" ({', '.join(parts)})" if parts else ""
    return f"{where}{_(VERBS[change.verb])}: {change.name} <{change.email}>{details}"


def _describe_end(report: ImportReport, apply: bool, _: Texts) -> str:
    if report.problems:
        return _.ngettext(
            "%(num)d problem; nothing was changed.",
            "%(num)d problems; nothing was changed.",
            len(report.problems),
        )
    counts = ", ".join(
        f"{_(text)}: {sum(change.verb == verb for change in report.changes)}" for verb, text in VERBS.items()
    )
    if apply:
        return _("Imported. %(counts)s") % {"counts": counts}
    return _("This is what would change. Nothing was changed; add --apply. %(counts)s") % {"counts": counts}
