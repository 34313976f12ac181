"""Submit: pack the assignment's folder, send it, keep the receipt."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc
from traitlets import Float, Unicode
from traitlets.utils.importstring import import_item

from atelier_nbgrader.exchange.client import ServiceRefusal
from atelier_nbgrader.exchange.exchange import Exchange, is_team_workspace
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.packing import pack
from atelier_nbgrader.receipts import Receipts, describe_receipt


class ExchangeSubmit(Exchange, abc.ExchangeSubmit):
    """Sends a copy of `~/<course>/<assignment>`; `receipt` holds the service's answer.

    The token says who submits: in a team workspace it is the team.
    """

    before_packing = Unicode(
        "",
        help="Dotted name of a function that is called with the folder (a Path) before it is packed, for "
        "example "
        "to have an open notebook saved.",
    ).tag(config=True)
    quiet_s = Float(
        1.5,
        help="In a team workspace: wait until no file has changed for so many seconds. Live editing writes "
        "to "
        "the disk about a second after the last key.",
    ).tag(config=True)
    attempts = 3
    receipt: dict[str, Any] | None = None

    def init_src(self) -> None:
        # As in nbgrader, the argument may be a path: the last part is the assignment.
        self.coursedir.assignment_id = Path(str(self.coursedir.assignment_id)).name
        self.src_path = self.folder
        if not self.src_path.is_dir():
            text = _("{folder} does not exist. Fetch the assignment first.")
            self.fail(text.format(folder=self.src_path))
        self.check_notebooks()

    def check_notebooks(self) -> None:
        """With nbgrader's `strict`: refuse when a notebook of the release is missing."""
        missing = Receipts(self.src_path).list_missing_notebooks()
        if not missing:
            return
        text = _("These notebooks of the assignment are missing from the folder: {names}.")
        message = text.format(names=", ".join(missing))
        if self.strict:
            self.fail(message)
        self.log.warning(message)

    def copy_files(self) -> None:
        self.finish_saving()
        receipts = Receipts(self.src_path)
        with tempfile.TemporaryDirectory(prefix="atelier-") as place:
            archive = Path(place, "submission.tar.gz")
            if not pack(self.src_path, archive, [*self.coursedir.ignore, "feedback"]):
                self.fail(_("{folder} is empty: there is nothing to submit.").format(folder=self.src_path))
            key = receipts.open_attempt(_digest(archive))
            self.receipt = self.send(archive, key)
        receipts.keep(self.receipt)
        self.log.info(describe_receipt(self.receipt))

    def finish_saving(self) -> None:
        """Let what was typed reach the disk: the configured hook, and in a team workspace a quiet moment."""
        if self.before_packing:
            import_item(self.before_packing)(self.src_path)
        if is_team_workspace():
            wait_until_quiet(self.src_path, self.quiet_s, at_most_s=10.0)

    def send(self, archive: Path, key: str) -> dict[str, Any]:
        """Send under one idempotency key, again when the connection was cut: the service stores it once."""
        for attempt in range(1, self.attempts + 1):
            try:
                headers = {"Idempotency-Key": key}
                answer = self.service.upload(self.address("submissions"), archive, headers)
                return dict(answer)
            except ServiceRefusal as refusal:
                if refusal.code != "unreachable" or attempt == self.attempts:
                    raise
                self.log.warning(_("The connection was cut; sending again."))
        raise AssertionError  # the last attempt returned or raised


def wait_until_quiet(
    folder: Path,
    quiet_s: float,
    at_most_s: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when no file in `folder` has changed for `quiet_s` seconds, at the latest after `at_most_s`."""
    until = now() + at_most_s
    while now() < until:
        changed_at = max((file.lstat().st_mtime for file in folder.rglob("*")), default=0.0)
        quiet_for_s = now() - changed_at
        if quiet_for_s >= quiet_s:
            return
        sleep(min(quiet_s - quiet_for_s, quiet_s))


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
