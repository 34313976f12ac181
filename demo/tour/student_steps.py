"""What 28 students and seven teams do: fetch, answer, submit; three attack. Few workspaces run at once."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from demo.tour import attacks
from demo.tour.browser import TourFailure
from demo.tour.cast import FULL, REFUSED, Student
from demo.tour.notebooks import fill_in
from demo.tour.people import Person
from demo.tour.tour import Tour
from demo.tour.workspace import Workspace

AT_ONCE = 3


def submit_team_work(tour: Tour) -> None:
    """The first member of each team opens the team's workspace, answers and submits for all."""
    first = {student.team: student for student in reversed(tour.students)}
    _play_at_once(tour, first.values(), _submit_for_team)


def submit_individual_work(tour: Tour) -> None:
    """Each student opens the own workspace, answers and submits, or tries something else."""
    _play_at_once(tour, tour.students, _submit_own)


def _play_at_once(tour: Tour, students: Iterable[Student], play: Callable[[Tour, Student], None]) -> None:
    def guarded(student: Student) -> None:
        try:
            play(tour, student)
        except TourFailure as failure:
            tour.claim(False, f"№ {student.number} ({student.part}): {failure}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(guarded, students))


def _submit_for_team(tour: Tour, student: Student) -> None:
    assignment = tour.find_assignment("team")
    account = tour.accounts[f"team {student.team}"]
    with Person(tour.demo.house, student.email) as person:
        person.sign_in()
        with Workspace(person, account) as workspace:
            tour.claim(
                set(workspace.list_assignments()) == {assignment},
                f"team {student.team} sees its team assignment only",
            )
            receipt = _work(tour, workspace, assignment, student.team_part)
            _check_receipt(tour, receipt, account, assignment)


def _submit_own(tour: Tour, student: Student) -> None:
    assignment = tour.find_assignment("individual")
    with Person(tour.demo.house, student.email) as person:
        person.sign_in()
        account = tour.accounts[student.email] = person.find_account()
        with Workspace(person, account) as workspace:
            if student.part in REFUSED:
                workspace.fetch(tour.slug, assignment)
                tour.refusals[student.email] = _attack(tour, workspace, assignment, student)
            else:
                receipt = _work(tour, workspace, assignment, student.part)
                _check_receipt(tour, receipt, account, assignment)


def _work(tour: Tour, workspace: Workspace, assignment: str, part: str) -> dict[str, Any]:
    """Fetch, answer, submit. Returns the receipt."""
    workspace.fetch(tour.slug, assignment)
    path = f"{tour.slug}/{assignment}/{assignment}.ipynb"
    if part == "torn":
        workspace.write_text(path, '{"cells": [')
    elif part != "untouched":
        answers = FULL if part == "thief" else part
        file = tour.template_dir / "solutions" / answers / f"{assignment}.py"
        extra = attacks.THIEF if part == "thief" else ""
        workspace.write_notebook(path, fill_in(workspace.read_notebook(path), file, extra))
    return workspace.submit(tour.slug, assignment)


def _attack(tour: Tour, workspace: Workspace, assignment: str, student: Student) -> str:
    """Send a hostile archive with the workspace's own token; returns the exchange's refusal."""
    if student.part == "sparse":
        _submit_sparse_file(tour, workspace, assignment)
    program = attacks.SPARSE if student.part == "sparse" else attacks.TRAVERSAL
    said = workspace.run_code(attacks.for_assignment(program, tour.slug, assignment)).strip()
    status, _, body = said.partition(" ")
    wanted = "kind_not_allowed" if student.part == "sparse" else "path_not_allowed"
    code = json.loads(body).get("error") if body.startswith("{") else body
    tour.claim(
        status.startswith("4") and code == wanted, f"{student.part} is refused with {wanted}; it was: {said}"
    )
    tour.say(f"№ {student.number}: {student.part} refused: {status} {code}")
    return f"{status} {code}"


def _submit_sparse_file(tour: Tour, workspace: Workspace, assignment: str) -> None:
    """The honest way with a dishonest file: the button must refuse it with a sentence."""
    workspace.run_code(attacks.for_assignment(attacks.MAKE_SPARSE_FILE, tour.slug, assignment))
    answer = workspace.request("POST", "atelier/submit", json={"course": tour.slug, "assignment": assignment})
    said = answer.json() if answer.content else {}
    tour.claim(
        answer.is_client_error and said.get("message"),
        f"a 3 GiB file is refused with a sentence; it was: {answer.status_code} {said}",
    )


def _check_receipt(tour: Tour, receipt: dict[str, Any], account: str, assignment: str) -> None:
    fits = receipt["account"] == account and receipt["assignment"] == assignment
    tour.claim(fits, f"the receipt is for {account} and {assignment}; it is {receipt}")
