"""The teacher's second half: collect, autograde, grade by hand, feedback, confirm; and what comes of it."""

import csv
import io
from typing import Any
from urllib.parse import quote

import httpx
from bs4 import BeautifulSoup

from demo.tour import attacks
from demo.tour.browser import find_form
from demo.tour.cast import FULL, REFUSED
from demo.tour.notebooks import load_expected_points
from demo.tour.opening_steps import find_course, find_teacher, use_formgrader
from demo.tour.tour import Tour


def collect(tour: Tour) -> None:
    """In formgrader: Collect, for each assignment."""
    for assignment in tour.template.assignments:
        use_formgrader(tour, f"assignment/{assignment.name}/collect")
        count = len(_list_submissions(tour, assignment.name))
        tour.say(f"{assignment.name}: {count} submissions")
    tour.claim(len(_list_submissions(tour, tour.find_assignment("team"))) == 7, "seven teams were collected")
    individual = _list_submissions(tour, tour.find_assignment("individual"))
    refused = sum(student.part in REFUSED for student in tour.students)
    tour.claim(
        len(individual) == len(tour.students) - refused,
        f"all but the {refused} refused individual submissions were collected; there are {len(individual)}",
    )


def autograde(tour: Tour) -> None:
    """In formgrader: Autograde, for each submission. A broken one is reported and stops nobody."""
    course = find_course(tour)
    for assignment in tour.template.assignments:
        for submission in _list_submissions(tour, assignment.name):
            path = f"formgrader/api/submission/{assignment.name}/{quote(submission['student'])}/autograde"
            answer = course.call("POST", path)
            if not answer.get("success"):
                tour.say(f"{assignment.name}, {submission['student']}: not graded; the course page says why")


def check_the_thief(tour: Tour) -> None:
    """The notebook that looked for the token and the gradebook ran, and found neither."""
    course = find_course(tour)
    assignment = tour.find_assignment("individual")
    for student in tour.students:
        if student.part == "thief":
            folder = f"{tour.slug}/autograded/{tour.accounts[student.email]}/{assignment}"
            names = [n for n in course.list_files(folder) if n.endswith(".ipynb")]
            text = str([course.read_notebook(f"{folder}/{name}") for name in names])
            tour.claim(f"'{attacks.LOOKED}" in text, f"the thief's code ran; {folder} has {names}")
            tour.claim(f"{attacks.LOOKED} {attacks.STOLEN}" not in text, "the thief found nothing")


def grade_by_hand(tour: Tour) -> None:
    """In formgrader: full points for all that waits for the teacher's hand, 0 where nothing was written.

    Checks what the tests gave.
    """
    course = find_course(tour)
    for assignment in tour.template.assignments:
        for notebook in course.call("GET", f"formgrader/api/notebooks/{assignment.name}"):
            path = f"formgrader/api/submitted_notebooks/{assignment.name}/{quote(notebook['name'])}"
            for submitted in course.call("GET", path):
                _grade_notebook(tour, assignment.name, submitted)


def _grade_notebook(tour: Tour, assignment: str, submitted: dict[str, Any]) -> None:
    course, account = find_course(tour), submitted["student"]
    grades = course.call("GET", f"formgrader/api/grades?submission_id={submitted['id']}")
    part = _find_part(tour, account)
    by_tests = sum(grade["auto_score"] or 0 for grade in grades)
    by_hand = 0.0
    for grade in grades:
        if grade["needs_manual_grade"]:
            points = 0 if part == "untouched" else grade["max_score"]
            course.call("PUT", f"formgrader/api/grade/{grade['id']}", {"manual_score": points})
            by_hand += points
    tour.awarded[account, assignment] = by_tests + by_hand
    expected = load_expected_points(tour.template_dir).get((FULL if part == "thief" else part, assignment))
    tour.claim(
        expected is None or expected == by_tests,
        f"{part} gets {expected} points from the tests of {assignment}, not {by_tests}",
    )


def _find_part(tour: Tour, account: str) -> str:
    for student in tour.students:
        if tour.accounts.get(student.email) == account:
            return student.part
        if tour.accounts.get(f"team {student.team}") == account:
            return student.team_part
    return "unknown"


def release_feedback(tour: Tour) -> None:
    """In formgrader: generate feedback, release it. That stages the results in the service."""
    for assignment in tour.template.assignments:
        use_formgrader(tour, f"assignment/{assignment.name}/generate_feedback")
        use_formgrader(tour, f"assignment/{assignment.name}/release_feedback")


def confirm_marks(tour: Tour) -> None:
    """On the course page, in the teacher's own session: look at the list, confirm it."""
    teacher = find_teacher(tour)
    for assignment in tour.template.assignments:
        address = f"{tour.demo.house.pages_url}courses/{tour.slug}/assignments/{assignment.name}"
        shown = teacher.open(address)
        _note_words(tour, assignment.name, shown)
        page = teacher.send(find_form(shown, action="/marks"), action="confirm")
        tour.claim(
            "done=confirmed" in str(page.url), f"{assignment.name} is confirmed; the page is {page.url}"
        )


def _note_words(tour: Tour, assignment: str, page: httpx.Response) -> None:
    """Keep what the list says, in its last column, of those for whom there is nothing to confirm."""
    for row in BeautifulSoup(page.text, "html.parser").select("tbody tr"):
        if row.select_one('input[name^="adjust-"]') is None:
            name, state = row.find("bdi"), row.find_all("td")[-1]
            tour.words[name.get_text(strip=True) if name else "", assignment] = " ".join(
                state.stripped_strings
            )


def save_csv(tour: Tour) -> None:
    """Download the marks as the teacher does."""
    answer = find_teacher(tour).open(f"{tour.demo.house.pages_url}courses/{tour.slug}/marks.csv")
    tour.csv_file.write_bytes(answer.content)
    tour.say(str(tour.csv_file))


def read_csv(content: bytes) -> list[dict[str, str]]:
    """Return the rows of the marks file by the titles in its first line."""
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text.splitlines()[0] else ","))


def _list_submissions(tour: Tour, assignment: str) -> list[dict[str, Any]]:
    """What formgrader lists for an assignment: those with a submission."""
    listed = find_course(tour).call("GET", f"formgrader/api/submissions/{assignment}")
    return [one for one in listed if one["submitted"]]
