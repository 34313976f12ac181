"""What we import is named in the list that its process installs from, not only brought by another package."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "requirements"
LISTS = {
    "hub_config": "hub",
    "extensions/atelier/atelier": "service",
    "extensions/atelier_nbgrader/atelier_nbgrader": "workspace",
    "extensions/atelier_lab/atelier_lab": "workspace",
    "extensions/atelier_widgets/atelier_widgets": "workspace",
    "bench": "test",
    "demo": "run",
    "deploy": "run",
    "front": "run",
    "images": "run",
}
# Parts that are the interface of what brings them: whoever uses the one is meant to import the other.
INTERFACE_OF = {
    "tornado": {"jupyterhub", "jupyterlab"},
    "traitlets": {"jupyterhub", "jupyterlab"},
    "pydantic-core": {"pydantic"},
    "starlette": {"fastapi"},
    "anyio": {"fastapi"},
    "sqlalchemy": {"nbgrader"},
    "nbformat": {"nbgrader"},
    "nbconvert": {"nbgrader"},
    "jinja2": {"nbgrader"},
    "ipykernel": {"jupyterlab"},
    "ipython": {"ipywidgets"},
    "jupyter-client": {"jupyterlab"},
    "jupyter-core": {"jupyterlab"},
    "jupyter-server": {"jupyterlab"},
    "jupyter-server-ydoc": {"jupyter-collaboration"},
    "jupyterlab-server": {"jupyterlab"},
    "pyzmq": {"jupyterlab"},
}


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def list_named(name: str) -> set[str]:
    """Return what a list names, and what the lists name that it includes."""
    found: set[str] = set()
    for line in (REQUIREMENTS / f"{name}.in").read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted.startswith("-r "):
            found |= list_named(wanted[3:].removesuffix(".in"))
        elif wanted and not wanted.startswith("-"):
            found.add(normalise(re.split(r"[\[=<>~ ]", wanted)[0]))
    return found


@functools.cache
def find_distributions() -> dict[str, set[str]]:
    return {module: set(map(normalise, names)) for module, names in packages_distributions().items()}


def list_imported(folder: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield each foreign module that a folder's files import, with the distributions it may come from."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules = [node.module]
            for module in (name.partition(".")[0] for name in modules):
                if module not in sys.stdlib_module_names and not module.startswith("atelier"):
                    yield module, find_distributions().get(module, set())


def find_unnamed(folder: Path, named: set[str]) -> set[str]:
    """Return the installed packages that a folder imports, `named` does not name, and no framework offers."""
    return {
        " or ".join(sorted(distributions))
        for _, distributions in list_imported(folder)
        if distributions
        and not any(one in named or INTERFACE_OF.get(one, set()) & named for one in distributions)
    }


@pytest.mark.parametrize(("folder", "name"), LISTS.items(), ids=LISTS)
def test_what_is_imported_is_named_in_its_list(folder: str, name: str) -> None:
    unnamed = find_unnamed(REPOSITORY / folder, list_named(name))
    assert not unnamed, f"name it in requirements/{name}.in, then: make lock"


def test_an_import_that_only_another_package_brings_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import json\nimport markupsafe\nfrom httpx import get\nimport tornado.web\n"
    )
    assert find_unnamed(tmp_path, {"jinja2", "httpx", "jupyterhub"}) == {"markupsafe"}
