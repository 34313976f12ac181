"""Where an assignment's files lie in this workspace: `<home>/<course slug>/<assignment>/`."""

import re
from pathlib import Path
from typing import Any

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_SUBMISSION_ID = re.compile(r"[a-z][a-z0-9]{11}")
_SHOWN_NOTEBOOKS = 20


def is_slug(value: object) -> bool:
    """True for what may be a course's slug or an assignment's name, and so a folder's name."""
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def is_submission_id(value: object) -> bool:
    return isinstance(value, str) and _SUBMISSION_ID.fullmatch(value) is not None


def describe_folder(home: Path, course: str, assignment: str) -> dict[str, Any]:
    """What the sidebar needs to know of the local files; paths are relative to `home`, with slashes."""
    folder = home / course / assignment
    return {
        "folder": f"{course}/{assignment}",
        "fetched": folder.is_dir(),
        "notebooks": [f"{course}/{assignment}/{name}" for name in _list_notebooks(folder)],
    }


def list_feedback(home: Path, course: str, assignment: str) -> list[str]:
    """The feedback pages that were fetched, newest first, relative to `home`."""
    pages = (home / course / assignment / "feedback").rglob("*.html")
    newest_first = sorted(pages, key=lambda page: page.stat().st_mtime, reverse=True)
    return [page.relative_to(home).as_posix() for page in newest_first]


def _list_notebooks(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir() if entry.suffix == ".ipynb" and entry.is_file())
    return sorted(names)[:_SHOWN_NOTEBOOKS]
