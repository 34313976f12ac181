"""Grading through real nbgrader: points, problems and hidden tests."""

import os
import sys
from pathlib import Path

import pytest

from tests.nbgrader_course import ASSIGNMENT, CANARY, RIGHT, SLUG, TestCourse, make_course

pytestmark = pytest.mark.sandbox

COURSE_ENVIRON = {"ATELIER_KIND": "course", "ATELIER_COURSE": SLUG, "ATELIER_ACCOUNT": "course-aaaaaaaaaaaa"}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestCourse:
    # No service: grading goes on with what the last collect wrote.
    monkeypatch.delenv("ATELIER_SERVICE_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return make_course(tmp_path, COURSE_ENVIRON)


def test_right_solution_gets_its_points(course: TestCourse) -> None:
    course.submit("aaaaaaaaaaaa", RIGHT)
    result = course.autograde("aaaaaaaaaaaa")
    assert result["success"], result
    assert course.find_points("aaaaaaaaaaaa") == 5
