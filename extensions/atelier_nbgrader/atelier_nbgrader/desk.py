"""The course workspace's own notes about collected submissions.

They lie in `<course root>/.atelier/`, outside of every submission's folder, so that nothing in an archive can
forge them: which submission was collected, and whether exactly that one was graded to the end.

    .atelier/desk/<assignment>/<account>.json
    .atelier/earlier/<assignment>/<account>/<time>/        submissions that a newer one took the place of
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from atelier_nbgrader.receipts import read_json, write_json


class Desk:
    """Notes of one course directory."""

    def __init__(self, course_root: Path | str) -> None:
        self._root = Path(course_root) / ".atelier"

    def note_collected(self, receipt: dict[str, Any]) -> None:
        """Remember that this submission is the one in `submitted/`; grading starts anew."""
        self._write(receipt["assignment"], receipt["account"], {"receipt": receipt, "notebooks": {}})

    def find_receipt(self, assignment: str, account: str) -> dict[str, Any] | None:
        """The receipt of the collected submission, or None when it was not collected by us."""
        receipt = self._read(assignment, account).get("receipt")
        return receipt if isinstance(receipt, dict) else None

    def note_notebook(
        self, assignment: str, account: str, notebook: str, state: str, problem: str = ""
    ) -> None:
        """Remember how far grading of a notebook came: `started`, `graded` or `problem`."""
        notes = self._read(assignment, account)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        notes.setdefault("notebooks", {})[notebook] = {"state": state, "problem": problem, "at": at}
        self._write(assignment, account, notes)

    def note_staged(self, assignment: str, account: str, feedback_sha256: str, feedback_id: str) -> None:
        """Remember which feedback of the collected submission was sent last."""
        notes = self._read(assignment, account)
        notes["feedback"] = {"sha256": feedback_sha256, "id": feedback_id}
        self._write(assignment, account, notes)

    def find_staged_feedback(self, assignment: str, account: str) -> dict[str, Any]:
        found = self._read(assignment, account).get("feedback")
        return found if isinstance(found, dict) else {}

    def list_notebooks(self, assignment: str, account: str) -> dict[str, dict[str, str]]:
        """Notebook name → `{"state", "problem", "at"}` for the submission that is collected now."""
        found = self._read(assignment, account).get("notebooks")
        return found if isinstance(found, dict) else {}

    def list_accounts(self, assignment: str) -> list[str]:
        """Accounts whose submissions were collected; not what somebody put into `submitted/` by hand."""
        found = sorted(file.stem for file in (self._root / "desk" / assignment).glob("*.json"))
        return [account for account in found if self.find_receipt(assignment, account) is not None]

    def find_place_for_earlier(self, assignment: str, account: str, received: str) -> Path:
        """A folder that does not exist yet, for a submission that is being replaced."""
        place = self._root / "earlier" / assignment / account
        place.mkdir(parents=True, exist_ok=True)
        numbered = [place / received, *(place / f"{received}-{number}" for number in range(2, 10_000))]
        return next(folder for folder in numbered if not folder.exists())

    def _file(self, assignment: str, account: str) -> Path:
        return self._root / "desk" / assignment / f"{account}.json"

    def _read(self, assignment: str, account: str) -> dict[str, Any]:
        return read_json(self._file(assignment, account))

    def _write(self, assignment: str, account: str, notes: dict[str, Any]) -> None:
        write_json(self._file(assignment, account), notes)
