"""Fetch feedback: what the teachers have returned, into `feedback/<time of the submission>/`."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc

from atelier_nbgrader.exchange.client import ServiceRefusal, path
from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.instants import folder_time
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.unpacking import unpack


class ExchangeFetchFeedback(Exchange, abc.ExchangeFetchFeedback):
    """Brings the newest confirmed feedback of each own submission. `fetched` lists the folders."""

    fetched: list[Path]

    def copy_files(self) -> None:
        self.fetched = []
        submissions = self.service.get(self.address("submissions"))
        for receipt in submissions:
            self.fetch_one(dict(receipt))
        if not self.fetched:
            self.log.info(_("There is no feedback yet for {name}.").format(name=self.assignment))

    def fetch_one(self, receipt: dict[str, Any]) -> None:
        """One submission's feedback; none is no error."""
        target = self.folder / "feedback" / folder_time(receipt["received_at"])
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as place:
            archive, files = Path(place, "feedback.tar.gz"), Path(place, "files")
            try:
                self.service.download(
                    path("submissions", receipt["id"], "feedback"), archive, self.archive_max_bytes
                )
            except ServiceRefusal as refusal:
                if refusal.status == 404:
                    return
                raise
            unpack(archive, files, self.unpack_limits)
            if target.exists():
                # Feedback is not a student's work: a newer version takes its place.
                target.rename(Path(place, "old"))
            shutil.move(files, target)
        self.fetched.append(target)
        self.log.info(_("Feedback is in {folder}.").format(folder=target))
