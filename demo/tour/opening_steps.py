"""The first steps: roster, course, teams, and the course workspace that releases the assignments."""

import re
import sys

from demo.launch import run_command
from demo.tour.browser import TourFailure, find_form, find_link, list_choices
from demo.tour.cast import TEAM_SIZE
from demo.tour.people import Person
from demo.tour.tour import Tour
from demo.tour.workspace import Workspace

COURSE_TITLE = "Обиколка 8А"
CLASS_NAME = "8А"
SCHOOL = "primer"


def import_roster(tour: Tour) -> None:
    """As an operator: first the difference, then the import."""
    command = [sys.executable, "-m", "atelier", "roster", "import", str(tour.roster_file), "--school", SCHOOL]
    dry_run = run_command(tour.demo.house, "setup", command)
    done = run_command(tour.demo.house, "setup", [*command, "--apply"])
    tour.say(done.strip().splitlines()[-1])
    tour.claim(len(tour.students) == 28, f"the roster has 28 students, not {len(tour.students)}")
    tour.claim(dry_run.count(tour.students[0].email) == 1, "the dry run names the first student")


def sign_teacher_in(tour: Tour) -> None:
    """Through the provider, as everybody does."""
    tour.teacher = Person(tour.demo.house, tour.teacher_email)
    tour.teacher.sign_in()


def start_course(tour: Tour) -> None:
    """On the page: a template, a title, a class."""
    teacher = find_teacher(tour)
    page = teacher.open(f"{tour.demo.house.pages_url}start")
    classes = [value for label, value in list_choices(page, "class").items() if label.startswith(CLASS_NAME)]
    form = find_form(page, action="/start")
    page = teacher.send(form, template=tour.template.name, title=COURSE_TITLE, **{"class": classes})
    found = re.search(r"/courses/([a-z0-9-]+)", str(page.url))
    if not found:
        raise TourFailure(f"starting the course led to {page.url}")
    tour.slug = found[1]
    link = find_link(page, "/hub/spawn/course-")
    tour.course_account = re.findall(r"/hub/spawn/(course-[a-z0-9]+)", link)[0]
    tour.say(f"course {tour.slug}, workspace {tour.course_account}")


def form_teams(tour: Tour) -> None:
    """On the page: seven teams, four students each, by their numbers in class."""
    teacher = find_teacher(tour)
    address = f"{tour.demo.house.pages_url}courses/{tour.slug}/people"
    count = len(tour.students) // TEAM_SIZE
    for number in range(1, count + 1):
        page = teacher.open(address)
        teacher.send(find_form(page, action="/teams"), name=f"Екип {number}")
    form = find_form(teacher.open(address), action="/members")
    fields = [name for name in form.fields if name.startswith("team-")]
    teams = list_choices(teacher.open(address), fields[0])
    chosen = {
        field: teams[f"Екип {student.team}"] for field, student in zip(fields, tour.students, strict=True)
    }
    page = teacher.send(form, **chosen)
    for student in tour.students:
        tour.accounts[f"team {student.team}"] = f"team-{teams[f'Екип {student.team}']}"
    tour.claim(len(set(chosen.values())) == count, f"{count} teams were formed")
    tour.claim("done=members" in str(page.url), "the teams were saved")


def open_course_workspace(tour: Tour) -> None:
    """Start it through the hub; the template's source notebooks are in it."""
    tour.course = Workspace(find_teacher(tour), tour.course_account)
    tour.course.start()
    listed = {a["name"] for a in tour.course.call("GET", "formgrader/api/assignments")}
    wanted = {a.name for a in tour.template.assignments}
    tour.claim(wanted <= listed, f"formgrader lists {sorted(wanted)}; it has {sorted(listed)}")


def release_assignments(tour: Tour) -> None:
    """In formgrader: generate, then release, each assignment."""
    for assignment in tour.template.assignments:
        for action in ("assign", "release"):
            use_formgrader(tour, f"assignment/{assignment.name}/{action}")


def use_formgrader(tour: Tour, path: str) -> None:
    """Press one of formgrader's buttons. Raises TourFailure with the end of its log when it fails."""
    answer = find_course(tour).call("POST", f"formgrader/api/{path}")
    if not answer.get("success"):
        log = f"{answer.get('error') or ''}\n{answer.get('log') or ''}".strip()
        raise TourFailure(f"formgrader: {path} failed:\n{log[-1500:]}")


def find_teacher(tour: Tour) -> Person:
    """Return the teacher, who is signed in."""
    assert tour.teacher is not None
    return tour.teacher


def find_course(tour: Tour) -> Workspace:
    """Return the course workspace, which runs."""
    assert tour.course is not None
    return tour.course
