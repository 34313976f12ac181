"""The city file: one YAML file, read once, checked strictly, never changed while the programs run.

Field descriptions are the operators' reference; `python -m hub_config reference` prints them.
This is the one module of `hub_config` that the service imports as well.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from hub_config.scale import BulgarianScale, PercentScale, Scale, Threshold
from hub_config.yaml_lines import Document, Problem, read_yaml, show_path

__all__ = [
    "BulgarianScale",
    "City",
    "CityError",
    "Language",
    "Limits",
    "PercentScale",
    "Problem",
    "Scale",
    "School",
    "Threshold",
    "WorkspaceKind",
    "WorkspaceLimits",
    "load_city",
    "parse_city",
]

Language = Literal["bg", "en"]
WorkspaceKind = Literal["personal", "team", "course"]

SCHOOL_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s]+")


def _check_domain(value: str) -> str:
    if not DOMAIN.fullmatch(value):
        raise ValueError(f"{value!r} is no e-mail domain; write it in small letters, e.g. school.example")
    return value


def _check_zone(value: str) -> str:
    if value not in available_timezones():
        near = difflib.get_close_matches(value, available_timezones(), n=1)
        raise ValueError(f"{value!r} is no IANA time zone; write e.g. {near[0] if near else 'Europe/Sofia'}")
    return value


def _check_email(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not EMAIL.fullmatch(value) or not DOMAIN.fullmatch(domain.lower()):
        raise ValueError(f"{value!r} is no e-mail address; write it like name@school.example")
    return f"{local.lower()}@{domain.lower()}"


def _check_school_id(value: str) -> str:
    if not SCHOOL_ID.fullmatch(value):
        raise ValueError(
            f"{value!r} is no school id; use a-z, 0-9 and -, beginning with a letter, at most 40"
        )
    return value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class WorkspaceLimits(_Model):
    """What one workspace of a kind may use, and when it is stopped. Files are never touched by a stop."""

    memory_mb: int = Field(
        1024, ge=128, description="Memory of the workspace. Engine `local` does not enforce it."
    )
    cpus: float = Field(
        1.0,
        ge=0.1,
        le=64,
        description="Processor cores it may keep busy. Engine `local` does not enforce it.",
    )
    processes: int = Field(
        256, ge=64, description="Processes and threads at the same time. Engine `local` does not enforce it."
    )
    disk_mb: int = Field(
        2048, ge=64, description="Files that the account may keep. Engine `local` does not enforce it."
    )
    files: int = Field(
        50_000, ge=1000, description="How many files and folders. Engine `local` does not enforce it."
    )
    idle_s: int = Field(3600, ge=60, description="Stopped after this time without activity.")
    max_age_s: int = Field(43200, ge=300, description="Stopped at this age even when a tab is still open.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.max_age_s < self.idle_s:
            raise ValueError(f"max_age_s ({self.max_age_s}) is below idle_s ({self.idle_s}); make it larger")
        return self


class Limits(_Model):
    """A school's limits. A key that is left out has the default shown."""

    archive_max_mb: int = Field(100, ge=1, le=4096, description="Largest archive of a release or submission.")
    archive_unpacked_max_mb: int = Field(
        400, ge=1, le=16384, description="Largest sum of an archive's files."
    )
    archive_max_files: int = Field(2000, ge=1, le=100000, description="Most files in one archive.")
    personal: WorkspaceLimits = Field(WorkspaceLimits(), description="Personal workspaces.")
    team: WorkspaceLimits = Field(
        WorkspaceLimits(memory_mb=2048, cpus=2.0, processes=512, disk_mb=4096), description="Team workspaces."
    )
    course: WorkspaceLimits = Field(
        WorkspaceLimits(memory_mb=2048, cpus=2.0, processes=512, disk_mb=20480, files=500_000),
        description="Course workspaces.",
    )

    def of(self, kind: WorkspaceKind) -> WorkspaceLimits:
        """Return the limits of one kind of workspace."""
        return {"personal": self.personal, "team": self.team, "course": self.course}[kind]


class School(_Model):
    """A tenant of the city."""

    id: Annotated[str, AfterValidator(_check_school_id)] = Field(
        description="Taken from the school's key in the file; not written again."
    )
    name: str = Field(min_length=1, max_length=200, description="The school's name as people read it.")
    domains: tuple[Annotated[str, AfterValidator(_check_domain)], ...] = Field(
        min_length=1, description="The e-mail domains of its accounts. A domain belongs to one school only."
    )
    provider: Literal["google"] = Field("google", description="Who signs its people in.")
    language: Language = Field(
        "bg", description="Language of pages and workspaces unless a person chose another."
    )
    zone: Annotated[str, AfterValidator(_check_zone)] = Field(
        "Europe/Sofia", description="IANA time zone in which deadlines are set and shown."
    )
    scale: Scale = Field(BulgarianScale(kind="bulgarian"), description="The mark scale.")
    limits: Limits = Field(Limits(), description="Archives and workspaces.")
    first_administrator: Annotated[str, AfterValidator(_check_email)] = Field(
        description="Address of the school's first administrator, who may sign in before any roster exists."
    )
    hub: str = Field("default", min_length=1, max_length=40, description="The hub that serves the school.")

    @model_validator(mode="after")
    def _check_administrator(self) -> Self:
        if fact := _foreign_administrator(self.first_administrator, self.domains):
            raise PydanticCustomError("cross_check", "{fact}", {"fact": fact})
        return self

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class City(_Model):
    """One deployment: its schools and their rules."""

    name: str = Field(min_length=1, max_length=200, description="The city's name as people read it.")
    language: Language = Field("bg", description="Language of pages before anybody has signed in.")
    schools: Mapping[str, School] = Field(
        min_length=1, description="The schools by id: a-z, 0-9 and -, at most 40. The id never changes."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_schools(cls, data: Any) -> Any:
        """Give each school its key as `id`."""
        if not isinstance(data, dict) or not isinstance(data.get("schools"), dict):
            return data
        named = {
            key: {**school, "id": key} if isinstance(school, dict) and "id" not in school else school
            for key, school in data["schools"].items()
        }
        return {**data, "schools": named}

    @model_validator(mode="after")
    def _check_schools(self) -> Self:
        for key, school in self.schools.items():
            if school.id != key:
                raise ValueError(f"schools.{key}.id is {school.id!r}; leave the key out")
        for domain, first, second in _shared_domains({key: s.domains for key, s in self.schools.items()}):
            fact = f"domain {domain} belongs to {first} and {second}"
            raise PydanticCustomError("cross_check", "{fact}", {"fact": fact})
        return self

    def find_school(self, school_id: str) -> School:
        """Return the school; raises KeyError when the city file has none of that id."""
        return self.schools[school_id]

    def find_school_of_domain(self, domain: str) -> School | None:
        """Return the school that owns an e-mail domain, or None. Upper and lower case do not matter."""
        wanted = domain.lower()
        return next((school for school in self.schools.values() if wanted in school.domains), None)


class CityError(Exception):
    """The city file cannot be used. `str()` lists every problem on a line of its own."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems))
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__("\n".join([f"{source}: {count}", *(f"  {problem}" for problem in self.problems)]))


def load_city(path: Path) -> City:
    """Read and check the city file. Raises CityError naming all problems with line, path and repair."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        repair = "give the path of a readable UTF-8 file (ATELIER_CITY_FILE)"
        raise CityError(str(path), [Problem(1, "", f"cannot be read: {error}", repair)]) from error
    return parse_city(text, str(path))


def parse_city(text: str, source: str = "city.yaml") -> City:
    """Check the text of a city file. `source` names it in errors. Raises CityError."""
    document = read_yaml(text)
    if document.data is None and not document.problems:
        document.add_problem((), "the file is empty", "write at least name and schools")
    city: City | None = None
    if isinstance(document.data, dict):
        _check_across(document)
        city = _validate(document)
    elif not document.problems:
        document.add_problem((), "the file is not a mapping", "begin with the keys name and schools")
    if city is None or document.problems:
        raise CityError(source, document.problems)
    return city


def _validate(document: Document) -> City | None:
    try:
        return City.model_validate(document.data)
    except ValidationError as error:
        for detail in error.errors():
            if detail["type"] != "cross_check":  # _check_across has said it already, with its line
                _add_validation_problem(document, detail)
        return None


# ------------------------------------------------ rules across fields, checked even when a field is wrong
def _check_across(document: Document) -> None:
    schools = document.data.get("schools")
    if not isinstance(schools, dict):
        return
    domains: dict[str, tuple[str, ...]] = {}
    for key, school in schools.items():
        if isinstance(school, dict) and isinstance(school.get("domains"), tuple):
            domains[key] = tuple(d for d in school["domains"] if isinstance(d, str))
            _check_administrator_across(document, key, school.get("first_administrator"), domains[key])
    for domain, first, second in _shared_domains(domains):
        at = len(domains[second]) - 1 - domains[second][::-1].index(domain)
        fact = f"domain {domain} belongs to {first} already"
        document.add_problem(
            ("schools", second, "domains", at), fact, "remove it from one of the two schools"
        )


def _check_administrator_across(document: Document, key: str, email: Any, domains: tuple[str, ...]) -> None:
    if isinstance(email, str) and "@" in email and (fact := _foreign_administrator(email, domains)):
        path = ("schools", key, "first_administrator")
        document.add_problem(path, fact, "use an address of the school, or add the domain to domains")


def _shared_domains(domains: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield each domain that a second school (or the same one again) names: domain, first, second."""
    owner: dict[str, str] = {}
    for key, names in domains.items():
        for name in names:
            if name in owner:
                yield name, owner[name], key
            owner.setdefault(name, key)


def _foreign_administrator(email: str, domains: Sequence[str]) -> str | None:
    domain = email.rpartition("@")[2].lower()
    return None if domain in domains else f"{email} is of none of the school's domains"


# ------------------------------------------------ pydantic's words → path, fact, repair
NEEDED = {
    "string_type": "text (numbers in quotes)",
    "int_type": "a whole number",
    "decimal_type": "a number",
    "is_instance_of": "a number",
    "tuple_type": "a list, e.g. [one, two]",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "too_short": "at least {min_length} entry",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "decimal_max_places": "at most {decimal_places} decimal places",
    "literal_error": "{expected}",
    "union_tag_invalid": "a kind out of {expected_tags}",
    "union_tag_not_found": "a mapping with the key kind",
}


def _add_validation_problem(document: Document, detail: ErrorDetails) -> None:
    path = _file_path(detail["loc"], document.data)
    follows = detail["input"] is None or (detail["type"] == "too_short" and detail["input"])
    if follows and any(problem.path.startswith(show_path(path)) for problem in document.problems):
        return  # the cause is listed already
    if detail["type"] == "missing":
        document.add_problem(path, "the key is missing", "add it")
    elif detail["type"] == "extra_forbidden":
        document.add_problem(path, "the key is unknown", _repair_of_unknown_key(str(path[-1])))
    elif detail["type"] == "value_error":
        fact, _, repair = str(detail["ctx"]["error"]).partition("; ")
        document.add_problem(path, fact, repair)
    else:
        needed = NEEDED.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
        fact = f"{_shorten(detail['input'])} stands here, but needed is {needed}"
        document.add_problem(path, fact, "write a value that docs/reference-settings.md allows")


def _file_path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """Pydantic's location without the names of union members, which are not in the file."""
    path: list[str | int] = []
    for at, part in enumerate(loc):
        known = (isinstance(data, dict) and part in data) or (
            isinstance(data, tuple) and isinstance(part, int)
        )
        if known:
            data = data[part]
        elif at + 1 < len(loc) and part in ("percent", "bulgarian"):
            continue
        path.append(part)
    return tuple(path)


def _repair_of_unknown_key(key: str) -> str:
    models = (City, School, Limits, WorkspaceLimits, BulgarianScale, Threshold)
    known = {name for model in models for name in model.model_fields} - {"id"}
    near = difflib.get_close_matches(key, known, n=1)
    return f"write {near[0]} if you meant that, else remove it" if near else "remove it"


def _shorten(value: Any) -> str:
    """A value as it stands in the file, cut off where it is long."""
    if isinstance(value, (dict, tuple)):
        return ("a mapping" if value else "{}") if isinstance(value, dict) else ("a list" if value else "[]")
    shown = repr(value) if isinstance(value, str) else str(value).lower()
    return shown if len(shown) <= 60 else shown[:57] + "…"
