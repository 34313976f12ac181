"""The demo's first contents, put in at the first start only: people, a course that has begun, its teams.

As a program (``python -m demo.seed <accounts file>``) it works on the database of its environment; the
launcher runs it apart, so that a second start need not load the service's code.
"""

import datetime as dt
import sys
from pathlib import Path

from atelier import projects, roster
from atelier.settings import StoreSettings
from atelier.store import SessionFactory, make_session_factory, open_database, utc_now
from sqlalchemy.orm import Session

from demo.accounts import SAMPLE_TEACHER, list_demo_rosters, write_accounts
from demo.house import REPOSITORY
from demo.problem import DemoProblem
from hub_config.city import School, load_city

SAMPLE_SCHOOL = "primer"
SAMPLE_CLASS = "8А"
TEAM_SIZE = 4


def main(accounts_file: Path) -> None:
    """Seed the database that the environment names. Nothing that is there already changes."""
    settings = StoreSettings()
    city = load_city(settings.city_file)
    sessions = make_session_factory(open_database(settings.database_url))
    for school_id, path in list_demo_rosters():
        import_roster(sessions, city.find_school(school_id), path)
    with sessions.begin() as session:
        start_sample_course(session, city.find_school(SAMPLE_SCHOOL), utc_now())
    write_accounts(accounts_file, city)


def import_roster(sessions: SessionFactory, school: School, path: Path) -> None:
    """Import one roster. Raises DemoProblem naming every line that is wrong."""
    file = roster.read_roster(path.read_bytes())
    report = roster.run_import(sessions, school, file, utc_now(), apply=True, allow_operators=True)
    if report.problems:
        problems = "\n".join(f"  {p.line}: {p.message % p.values}" for p in report.problems)
        raise DemoProblem(f"The roster {path.name} cannot be imported.\n{problems}", f"mend {path}")


def start_sample_course(session: Session, school: School, now: dt.datetime) -> None:
    """Start a course from the first template for one class; teams by the numbers in class."""
    teacher = roster.find_person_by_email(session, SAMPLE_TEACHER, school.provider)
    templates = projects.list_templates(REPOSITORY / "course_templates")
    if not templates or roster.list_courses_of(session, teacher.id, now):
        return
    template = templates[0]
    course = projects.start_course(
        session,
        template,
        title=template.title.text(school.language),
        school=school,
        class_ids=[roster.find_class(session, school.id, SAMPLE_CLASS).id],
        teacher_id=teacher.id,
        now=now,
    )
    students = [student.person.id for student in roster.list_students(session, course.id, now)]
    project = projects.list_projects(session, course.id)[0]
    for number, first in enumerate(range(0, len(students), TEAM_SIZE), 1):
        team = projects.create_team(session, project.id, f"Екип {number}", now)
        projects.set_team_members(session, team.id, students[first : first + TEAM_SIZE], now)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
