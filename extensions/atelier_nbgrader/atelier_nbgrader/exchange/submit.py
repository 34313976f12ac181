"""Submit: pack the assignment's folder, send it, keep the receipt."""

import contextlib
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc
from traitlets import Float, Unicode
from traitlets.utils.importstring import import_item

from atelier_nbgrader.exchange.client import ServiceRefusal
from atelier_nbgrader.exchange.exchange import Exchange, is_team_workspace
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.packing import GONE, pack
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
        archive = io.BytesIO()
        ignore = [*self.coursedir.ignore, "feedback"]
        if not pack(self.src_path, archive, ignore, required=receipts.list_notebooks()):
            self.fail(_("{folder} is empty: there is nothing to submit.").format(folder=self.src_path))
        key = receipts.open_attempt(hashlib.sha256(archive.getbuffer()).hexdigest())
        self.receipt = self.send(archive, key)
        self.keep_receipt(receipts)
        self.log.info(describe_receipt(self.receipt))

    def keep_receipt(self, receipts: Receipts) -> None:
        """Keep the receipt in the folder. Where that fails the work is handed in nevertheless."""
        assert self.receipt is not None
        try:
            receipts.keep(self.receipt)
        except OSError:
            text = _(
                "The work is handed in. Its receipt could not be kept in the folder; the service has it."
            )
            self.log.warning(text)

    def finish_saving(self) -> None:
        """Let what was typed reach the disk: the configured hook, and in a team workspace a quiet moment."""
        if self.before_packing:
            import_item(self.before_packing)(self.src_path)
        if is_team_workspace():
            wait_until_quiet(self.src_path, self.quiet_s, at_most_s=10.0)

    def send(self, archive: io.BytesIO, key: str) -> dict[str, Any]:
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
        changed_at = max(_list_changes(folder), default=0.0)
        quiet_for_s = now() - changed_at
        if quiet_for_s >= quiet_s:
            return
        sleep(min(quiet_s - quiet_for_s, quiet_s))


def _list_changes(folder: Path) -> Iterator[float]:
    """When each file and folder below was changed, without what goes while it is looked at."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with contextlib.suppress(*GONE):
                yield Path(place, name).lstat().st_mtime
