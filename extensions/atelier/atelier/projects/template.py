"""Course templates: a folder below course_templates/ with `template.yaml`, notebooks and data.

The folder is checked as a whole when it is loaded, so that a teacher never starts half a course.
"""

import logging
import re
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from atelier.projects.errors import NotFound, TemplateError
from atelier.texts import N_

_log = logging.getLogger("atelier.projects")

ASSIGNMENT_NAME = r"^[a-z0-9][a-z0-9_-]{0,79}$"
TEMPLATE_FILE = "template.yaml"

# What statistics offices, libraries and schools may pass on; a template with anything else says why in its
# README.
OPEN_LICENCES = ("public domain", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "ODbL-1.0", "BSD-3-Clause", "MIT")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Text(_Strict):
    """A text in both languages."""

    bg: str = Field(min_length=1, description="Bulgarian.")
    en: str = Field(min_length=1, description="English.")

    def text(self, language: str | None) -> str:
        """Return the text for a reader of `language`; English for anything but Bulgarian."""
        return self.bg if (language or "").lower().startswith("bg") else self.en


class Milestone(_Strict):
    """A point on the way at which the team shows something."""

    title: Text = Field(description="What is reached.")
    description: Text = Field(description="What the team shows or hands over.")
    in_days: int = Field(ge=0, le=365, description="Days after the course starts.")


class Level(_Strict):
    """One level of a criterion."""

    points: int = Field(ge=0, le=100, description="Points of this level.")
    description: Text = Field(description="What work on this level looks like.")


class Criterion(_Strict):
    """One row of the rubric; levels from the best to the weakest."""

    title: Text = Field(description="What is judged.")
    levels: list[Level] = Field(min_length=2, description="From the best level down.")


class TemplateAssignment(_Strict):
    """An nbgrader assignment: the folder `source/<name>/`."""

    name: str = Field(pattern=ASSIGNMENT_NAME, description="nbgrader's assignment id and folder name.")
    title: Text = Field(description="What people read.")
    kind: Literal["individual", "team"] = Field(description="Who works on it and submits it.")
    due_in_days: int = Field(ge=0, le=365, description="Days after the course starts.")
    due_time: time = Field(time(20, 0), description="Local time of the deadline, HH:MM.")


def _check_relative(path: str) -> str:
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError("must be a path inside the template's folder")
    return path


RelativePath = Annotated[str, AfterValidator(_check_relative)]


class DataSource(_Strict):
    """Where a data file comes from and under which licence it may be passed on."""

    files: list[RelativePath] = Field(min_length=1, description="Paths from the template's folder.")
    title: Text = Field(description="What the data are.")
    source: str = Field(min_length=1, description="Who measured and published them.")
    url: str = Field(pattern=r"^https://", description="Where they are published.")
    licence: Literal[OPEN_LICENCES] = Field(description="Under which terms.")  # type: ignore[valid-type]
    licence_note: str = Field(min_length=1, description="Where the terms are stated.")
    changes: Text = Field(description="What was changed between the source and this file.")


class Plan(_Strict):
    """What `Project.plan` keeps of a template."""

    milestones: list[Milestone] = Field(min_length=1, description="In order of time.")
    rubric: list[Criterion] = Field(min_length=1, description="Criteria of the team's product.")


class Template(Plan):
    """`template.yaml`. Unknown keys are refused."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$", description="The folder's name.")
    title: Text = Field(description="Title of the project.")
    summary: Text = Field(description="Two sentences for a teacher who looks for a project.")
    subjects: Text = Field(description="School subjects it serves.")
    grades: list[Annotated[int, Field(ge=1, le=12)]] = Field(
        min_length=1, description="Grades it is made for."
    )
    lessons: int = Field(ge=1, le=60, description="Lessons of 40 minutes.")
    driving_question: Text = Field(description="The question the project answers.")
    assignments: list[TemplateAssignment] = Field(min_length=1, description="In the order they are done.")
    data: list[DataSource] = Field(description="Every data file with source and licence.")

    def plan(self) -> dict[str, Any]:
        """Return what `Project.plan` keeps, as JSON values."""
        return Plan(milestones=self.milestones, rubric=self.rubric).model_dump(mode="json")


def load_template(folder: Path) -> Template:
    """Read and check the template in `folder`.

    Raises TemplateError that lists all faults: of `template.yaml`, missing notebooks, data files without
    source.
    """
    if not (folder / TEMPLATE_FILE).is_file():
        raise TemplateError(
            "no_template",
            N_("%(folder)s holds no template.yaml. Choose another template."),
            folder=folder.name,
        )
    template = _load_yaml(folder / TEMPLATE_FILE)
    faults = list(_list_folder_faults(folder, template))
    if faults:
        raise _refuse(folder, faults)
    return template


def list_templates(templates_dir: Path) -> list[Template]:
    """Return the templates below `templates_dir` that can be used, by name.

    A broken one is left out and logged (`template-broken`): it must not keep others from being started.
    """
    templates: list[Template] = []
    for file in sorted(templates_dir.glob(f"*/{TEMPLATE_FILE}")):
        try:
            templates.append(load_template(file.parent))
        except TemplateError as error:
            _log.error("template-broken: %s", error)
    return templates


def find_template(templates_dir: Path, name: str) -> Template:
    """Return the template `name`. Raises NotFound; `name` may come from a form, so it is no path."""
    if (
        not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,79}", name)
        or not (templates_dir / name / TEMPLATE_FILE).is_file()
    ):
        raise NotFound("no_template", N_("There is no course template %(name)s."), name=name)
    return load_template(templates_dir / name)


def _load_yaml(path: Path) -> Template:
    try:
        return Template.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        raise _refuse(path.parent, faults) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise _refuse(path.parent, [str(error)]) from error


def _list_folder_faults(folder: Path, template: Template) -> Iterator[str]:
    if template.name != folder.name:
        yield f"name: is {template.name}, but the folder is {folder.name}"
    names = [a.name for a in template.assignments]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"assignments: {name} is there twice"
    for name in names:
        if not list((folder / "source" / name).glob("*.ipynb")):
            yield f"assignments: source/{name}/ holds no notebook"
    listed = {file for source in template.data for file in source.files}
    for file in sorted(listed):
        if not (folder / file).is_file():
            yield f"data: {file} is missing"
    found = {path.relative_to(folder).as_posix() for path in folder.glob("source/**/*.csv")}
    for file in sorted(found - listed):
        yield f"data: {file} has no source and licence"


def _refuse(folder: Path, faults: list[str]) -> TemplateError:
    return TemplateError(
        "broken_template",
        N_("The template %(name)s cannot be used: %(faults)s"),
        name=folder.name,
        faults="; ".join(faults),
    )
