"""nbgrader's configuration for each kind of workspace."""

from pathlib import Path
from typing import Any

import pytest
from atelier_nbgrader.config import add_own_programs, configure
from atelier_nbgrader.gradebook import make_names
from atelier_nbgrader.preprocessors import SandboxedExecute
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute
from traitlets.config import Config
from traitlets.utils.importstring import import_item

COURSE = {
    "ATELIER_KIND": "course",
    "ATELIER_COURSE": "geo-8a",
    "ATELIER_ACCOUNT": "course-aaaaaaaaaaaa",
    "HOME": "/home/x",
}


def make_config(**environ: str) -> Config:
    config = Config()
    configure(config, environ)
    return config


def test_outside_of_a_workspace_nothing_is_set() -> None:
    assert make_config(HOME="/home/x") == Config()


@pytest.mark.parametrize("kind", ["personal", "team"])
def test_student_submits_as_the_account_and_has_no_course_directory(kind: str) -> None:
    config = make_config(ATELIER_KIND=kind, ATELIER_ACCOUNT="team-aaaaaaaaaaaa", HOME="/home/x")
    assert config.CourseDirectory.student_id == "team-aaaaaaaaaaaa"
    assert "root" not in config.CourseDirectory
    assert "Autograde" not in config


def test_student_code_is_never_run_by_nbgraders_own_execute() -> None:
    config = make_config(**COURSE)
    steps = [import_item(step) for step in Autograde(config=config).autograde_preprocessors]
    assert SandboxedExecute in steps
    assert not any(issubclass(step, Execute) for step in steps)


def test_every_named_class_exists() -> None:
    config = make_config(**COURSE)
    names = [
        *config.ExchangeFactory.values(),
        *config.Autograde.sanitize_preprocessors,
        *config.Autograde.autograde_preprocessors,
        *config.GenerateFeedback.preprocessors,
        *config.HTMLExporter.preprocessors,
        *config.HTMLExporter.filters.values(),
        config.Authenticator.plugin_class,
    ]
    assert all(import_item(name) for name in names)
    assert len(config.ExchangeFactory) == 8


def test_shipped_configuration_file_configures_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COURSE.items():
        monkeypatch.setenv(name, value)
    file = (
        Path(__file__).parents[2]
        / "extensions"
        / "atelier_nbgrader"
        / "etc"
        / "jupyter"
        / "nbgrader_config.py"
    )
    config = Config()
    code = compile(file.read_text(), file, "exec")
    exec(code, {"get_config": lambda: config})  # noqa: S102 - the file as traitlets runs it
    assert config.CourseDirectory.root == "/home/x/geo-8a"


def test_own_programs_come_first_once() -> None:
    environ = {"PATH": "/usr/bin"}
    add_own_programs(environ)
    add_own_programs(environ)
    assert environ["PATH"].endswith("/usr/bin")
    assert environ["PATH"].count(":") == 1


def test_nbgrader_starts_without_a_service() -> None:
    api = NbGraderAPI(config=make_config(**COURSE))
    assert api.course_id == "geo-8a"


ROWS: list[tuple[dict[str, Any], tuple[str, str]]] = [
    (
        {"account": "a", "kind": "person", "number": 7, "given_name": "Ада", "family_name": "Борисова"},
        ("Ада", "8А 07 Борисова"),
    ),
    (
        {"account": "a", "kind": "person", "number": None, "given_name": "Ада", "family_name": "Борисова"},
        ("Ада", "8А Борисова"),
    ),
    (
        {
            "account": "team-a",
            "kind": "team",
            "number": None,
            "given_name": "",
            "family_name": "Синички",
            "members": [{"account": "a", "given_name": "Ада", "family_name": "Борисова"}],
        },
        ("Ада Борисова", "Синички"),
    ),
]


@pytest.mark.parametrize(("row", "names"), ROWS)
def test_formgrader_sorts_like_the_class_list(row: dict[str, Any], names: tuple[str, str]) -> None:
    assert make_names({"class_name": "8А", **row}, with_class=True) == names


def test_gap_for_an_answer_speaks_the_schools_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_LANGUAGE", "bg")
    c = Config()
    configure(c, COURSE)
    assert c.ClearSolutions.code_stub["python"] == "# ВАШИЯТ КОД ТУК\nraise NotImplementedError()"
    assert c.ClearSolutions.text_stub == "ВАШИЯТ ОТГОВОР ТУК"
