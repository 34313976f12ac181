"""Where an assignment's files lie in this workspace: `<home>/<course slug>/<assignment>/`."""

import json
import re
from pathlib import Path
from typing import Any

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_SUBMISSION_ID = re.compile(r"[a-z][a-z0-9]{11}")
_SHOWN_NOTEBOOKS = 20
# Copies of earlier submissions; the exchange plug-in leaves such folders out of a submission.
COPY_PREFIX = "submission-"


def is_slug(value: object) -> bool:
    """True for what may be a course's slug or an assignment's name, and so a folder's name."""
    return isinstance(value, str) and _SLUG.fullmatch(value) is not None


def is_submission_id(value: object) -> bool:
    return isinstance(value, str) and _SUBMISSION_ID.fullmatch(value) is not None


def describe_folder(home: Path, course: str, assignment: str) -> dict[str, Any]:
    """What the sidebar needs to know of the local files; paths are relative to `home`, with slashes.

    `fetched_version` is the release that the files came from, None when that is not known.
    """
    folder = home / course / assignment
    return {
        "folder": f"{course}/{assignment}",
        "fetched": _holds_work(folder),
        "fetched_version": _load_version(folder),
        "notebooks": [f"{course}/{assignment}/{name}" for name in _list_notebooks(folder)],
    }


def describe_copy(home: Path, folder: Path) -> dict[str, Any]:
    """The copy of an earlier submission, in the same words."""
    path = folder.relative_to(home).as_posix()
    return {"folder": path, "notebooks": [f"{path}/{name}" for name in _list_notebooks(folder)]}


def list_feedback(home: Path, course: str, assignment: str) -> list[str]:
    """The feedback pages that were fetched, relative to `home`: newest submission first, then by name.

    They lie in `feedback/<time of the submission>/`; the time sorts.
    """
    pages = sorted((home / course / assignment / "feedback").rglob("*.html"))
    newest_first = sorted(pages, key=lambda page: page.parent.name, reverse=True)
    return [page.relative_to(home).as_posix() for page in newest_first]


def _holds_work(folder: Path) -> bool:
    """True when something is there that was fetched or made, not only what this panel put there."""
    if not folder.is_dir():
        return False
    names = (entry.name for entry in folder.iterdir())
    return any(not name.startswith((".", COPY_PREFIX)) and name != "feedback" for name in names)


def _load_version(folder: Path) -> int | None:
    """nbgrader's plug-in notes in `.atelier/release.json` which release it delivered."""
    try:
        version = json.loads((folder / ".atelier" / "release.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, int) else None


def _list_notebooks(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir() if entry.suffix == ".ipynb" and entry.is_file())
    return sorted(names)[:_SHOWN_NOTEBOOKS]
