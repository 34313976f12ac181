"""Collect: the newest submission of each account into `submitted/`. One broken one never stops the others."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc
from traitlets import Integer

from atelier_nbgrader.desk import Desk
from atelier_nbgrader.exchange.client import ServiceRefusal, path
from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.gradebook import open_gradebook, write_assignments, write_roster
from atelier_nbgrader.instants import folder_time, parse_instant
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.no_room import describe
from atelier_nbgrader.unpacking import BrokenArchive, show, unpack

# nbgrader parses "<date> <time> UTC" right; numeric offsets it takes for seconds.
TIMESTAMP_FORMAT = "%Y-%m-%d %H:%M:%S.%f UTC"


class ExchangeCollect(Exchange, abc.ExchangeCollect):
    """Fills `submitted/<account>/<assignment>/`; an earlier one that was collected is kept, never deleted.

    Afterwards `collected` lists the accounts, and `broken` maps an account to the reason.
    """

    notebook_max_mb = Integer(
        20,
        help="Largest notebook that is collected, in MB. Reading one takes up to 30 times its size in "
        "memory: a larger one would end the course workspace, and with it the grading of everybody.",
    ).tag(config=True)

    collected: list[str]
    broken: dict[str, str]

    def init_src(self) -> None:
        self.collected, self.broken = [], {}
        self.desk = Desk(self.coursedir.root)
        receipts = self.service.get(self.address("submissions"))
        wanted = str(self.coursedir.student_id or "*")
        mine = [dict(receipt) for receipt in receipts if wanted in ("*", receipt["account"])]
        self.src_records = choose_submissions(mine, before_due=self.before_duedate)

    def init_dest(self) -> None:
        """Names and due dates first: who collects also sees who is who, and lateness is right."""
        with open_gradebook(self.coursedir) as gradebook:
            write_roster(gradebook, self.service.get(path("courses", self.course, "roster")))
            write_assignments(gradebook, self.list_assignments(self.course))

    def copy_files(self) -> None:
        for receipt in self.src_records:
            account = str(receipt["account"])
            try:
                self.collect_one(receipt)
            except (ServiceRefusal, BrokenArchive, OSError) as error:
                self.broken[account] = describe(error)
                text = _("The submission of {account} was not collected: {reason}")
                self.log.error(text.format(account=account, reason=self.broken[account]))
        text = _("{name}: {count} collected, {broken} not collected, {same} were there already.")
        same = len(self.src_records) - len(self.collected) - len(self.broken)
        counts = {"count": len(self.collected), "broken": len(self.broken), "same": same}
        self.log.info(text.format(name=self.assignment, **counts))

    def collect_one(self, receipt: dict[str, Any]) -> None:
        """Bring one submission, unless it (or, without --update, any) is there already."""
        account = str(receipt["account"])
        present = self.desk.find_receipt(self.assignment, account)
        target = self.find_target(account)
        if target.is_dir() and present and present["id"] == receipt["id"]:
            return
        if target.is_dir() and not (self.update or self.before_duedate):
            text = _("{account} has a newer submission; use --update to collect it.")
            self.log.info(text.format(account=account))
            return
        self.bring(receipt, target)
        self.collected.append(account)
        self.log.info(_("Collected {account}, {at}").format(account=account, at=receipt["received_at"]))

    def bring(self, receipt: dict[str, Any], target: Path) -> None:
        """Download, unpack, and put in place; until the last moment the earlier one stays where it is."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".collecting-", dir=target.parent) as place:
            archive, files = Path(place, "submission.tar.gz"), Path(place, "files")
            where = path("submissions", receipt["id"], "archive")
            self.service.download(where, archive, self.archive_max_bytes)
            unpack(archive, files, self.unpack_limits)
            self.check_notebooks(files)
            # Ours, whatever the archive contains under these names.
            _write_own(
                files / "timestamp.txt", parse_instant(receipt["received_at"]).strftime(TIMESTAMP_FORMAT)
            )
            _write_own(files / "submission_secret.txt", str(receipt["id"]))
            self.keep_earlier(str(receipt["account"]), target)
            # First the note, then the folder: after a crash in between the next collect brings it again.
            self.desk.note_collected(receipt)
            files.rename(target)

    def check_notebooks(self, files: Path) -> None:
        """Raise BrokenArchive when a notebook is too large to be opened."""
        for file in files.rglob("*.ipynb"):
            size_mb = file.stat().st_size / 1_000_000
            if file.is_file() and size_mb > self.notebook_max_mb:
                text = _("“{name}” has {size} MB, a notebook may have {most} MB. Ask for it without outputs.")
                raise BrokenArchive(
                    text.format(name=show(file.name), size=round(size_mb), most=self.notebook_max_mb)
                )

    def keep_earlier(self, account: str, target: Path) -> None:
        if not target.exists():
            return
        present = self.desk.find_receipt(self.assignment, account)
        received = folder_time(present["received_at"]) if present else "unknown"
        target.rename(self.desk.find_place_for_earlier(self.assignment, account, received))

    def find_target(self, account: str) -> Path:
        place = self.coursedir.format_path(self.coursedir.submitted_directory, account, self.assignment)
        return Path(place)


def choose_submissions(receipts: Iterable[dict[str, Any]], *, before_due: bool) -> list[dict[str, Any]]:
    """One receipt per account: the newest; with `before_due` the newest that is not late, if there is one."""
    chosen: dict[str, dict[str, Any]] = {}
    for receipt in sorted(receipts, key=lambda receipt: parse_instant(receipt["received_at"])):
        present = chosen.get(receipt["account"])
        if before_due and present is not None and receipt["late"] and not present["late"]:
            continue
        chosen[receipt["account"]] = receipt
    return [chosen[account] for account in sorted(chosen)]


def _write_own(file: Path, text: str) -> None:
    if file.is_dir():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)
    file.write_text(text, encoding="utf-8")
