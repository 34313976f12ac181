"""What an assignment's folder remembers: receipts, a submission on its way, and the release it came from.

Files, hidden and never submitted:

* `.receipts/<time>-<id>.json`: the service's receipts;
* `.receipts/attempt.json`: `{"key", "sha256"}` of a submission that has no receipt yet;
* `.atelier/release.json`: `{"version", "files": {path: sha256}}` as they were delivered.
"""

import contextlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from atelier_nbgrader.instants import show_instant
from atelier_nbgrader.language import translate as _


class Receipts:
    """The memory of one assignment's folder."""

    def __init__(self, folder: Path) -> None:
        self._receipts = folder / ".receipts"
        self._attempt = self._receipts / "attempt.json"
        self._release = folder / ".atelier" / "release.json"
        self._folder = folder

    def open_attempt(self, sha256: str) -> str:
        """The idempotency key for these bytes: the one of an attempt that got no receipt, else a new one.

        A new key that cannot be noted, in a full home, is good for this attempt all the same: when its
        receipt gets lost, the worst is that the same work is handed in a second time.
        """
        known = read_json(self._attempt)
        if known.get("sha256") == sha256 and known.get("key"):
            return str(known["key"])
        key = uuid.uuid4().hex
        try:
            write_json(self._attempt, {"key": key, "sha256": sha256})
        except OSError:
            # The one noted before is over: these bytes again, after others, would get its old receipt.
            with contextlib.suppress(OSError):
                self._attempt.unlink(missing_ok=True)
        return key

    def keep(self, receipt: dict[str, Any]) -> Path:
        """Keep a receipt and close the attempt; the same receipt twice is one file.

        Raises OSError when it cannot be kept; the attempt is closed nevertheless.
        """
        at = "".join(letter for letter in str(receipt["received_at"]) if letter.isalnum())
        file = self._receipts / f"{at}-{receipt['id']}.json"
        try:
            write_json(file, receipt)
        finally:
            self._attempt.unlink(missing_ok=True)
        return file

    def list_kept(self) -> list[dict[str, Any]]:
        """Kept receipts, newest first."""
        files = sorted(self._receipts.glob("*-*.json"), reverse=True)
        return [read_json(file) for file in files]

    def load_release(self) -> dict[str, Any]:
        """What was delivered: `{"version": int, "files": {path: sha256}}`; version 0 when nothing was, or
        when that is not known.
        """
        known = read_json(self._release)
        version, files = known.get("version"), known.get("files")
        return {
            "version": version if type(version) is int else 0,  # True is an int, and no version
            "files": files if isinstance(files, dict) else {},
        }

    def keep_release(self, version: int, files: dict[str, str]) -> None:
        write_json(self._release, {"version": version, "files": files})

    def list_notebooks(self) -> list[str]:
        """Notebooks that were delivered."""
        return sorted(name for name in self.load_release()["files"] if name.endswith(".ipynb"))

    def list_missing_notebooks(self) -> list[str]:
        """Notebooks that were delivered and are not in the folder."""
        return [name for name in self.list_notebooks() if not (self._folder / name).is_file()]


def describe_receipt(receipt: dict[str, Any]) -> str:
    """A receipt in one sentence, as a student reads it."""
    text = _("Submitted {course}/{assignment} at {at}, receipt {id}, SHA-256 {sha256}.")
    if receipt.get("late"):
        text = _("Submitted LATE {course}/{assignment} at {at}, receipt {id}, SHA-256 {sha256}.")
    fields = {name: receipt.get(name) for name in ("course", "assignment", "id", "sha256")}
    return text.format(at=show_instant(receipt["received_at"]), **fields)


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object; an empty one when the file is absent or was damaged by hand."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write by rename: after a crash or an OSError there is the old content or the new, never half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    try:
        with partial.open("w", encoding="utf-8") as out:
            json.dump(content, out, ensure_ascii=False, indent=1, sort_keys=True)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError:
        # Each try in a full home would leave one more.
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
