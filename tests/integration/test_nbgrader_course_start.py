"""The first start of a course's workspace, with a real web process: folders, gradebook, template."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier_nbgrader.gradebook import open_gradebook
from atelier_nbgrader.server.course_start import ensure_course

from tests.databases import Databases
from tests.exchange_stand import Stand, open_stand
from tests.nbgrader_course import TestCourse
from tests.nbgrader_workspaces import make_workspace

LOG = logging.getLogger("tests")


@pytest.fixture
def stand(databases: Databases, tmp_path: Path) -> Iterator[Stand]:
    (tmp_path / "service").mkdir()
    with open_stand(tmp_path / "service", databases.migrate()) as running:
        yield running


def test_course_starts_with_folders_and_known_assignments(stand: Stand, tmp_path: Path) -> None:
    workspace = make_workspace(stand, "course", tmp_path / "fresh")
    with workspace.entered():
        root = ensure_course(workspace.environ, LOG)
    assert {"source", "release", "submitted", "autograded", "feedback"} <= {f.name for f in root.iterdir()}
    with (
        workspace.entered(),
        open_gradebook(TestCourse(workspace.home, workspace.config).coursedir) as gradebook,
    ):
        assert {assignment.name for assignment in gradebook.assignments} == {"hw1", "project1"}


def test_course_starts_from_its_template_once_and_never_over_existing_files(
    stand: Stand, tmp_path: Path
) -> None:
    shipped = give_template(stand, tmp_path / "service" / "templates")
    workspace = make_workspace(stand, "course", tmp_path / "fresh")
    with workspace.entered():
        root = ensure_course(workspace.environ, LOG)
        notebooks = sorted(path.relative_to(root) for path in (root / "source").rglob("*.ipynb"))
        assert notebooks == sorted(
            path.relative_to(shipped) for path in (shipped / "source").rglob("*.ipynb")
        )
        mine = root / notebooks[0]
        mine.write_text("mine")
        ensure_course(workspace.environ, LOG)
    assert mine.read_text() == "mine"


def give_template(stand: Stand, templates: Path) -> Path:
    """Say that the course was started from the project that ships with Atelier."""
    from atelier.store.models import Project
    from sqlalchemy import update

    shipped = next((Path(__file__).parents[2] / "course_templates").glob("*/template.yaml")).parent
    shutil.copytree(shipped, templates / shipped.name)
    with stand.sessions.begin() as session:
        session.execute(update(Project).values(template=shipped.name))
    return shipped
