"""Release feedback: stage feedback and results in the service. They become marks when a teacher confirms
them."""

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc

from atelier_nbgrader.desk import Desk
from atelier_nbgrader.exchange.client import ServiceRefusal, path
from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.feedback_pages import protect_page
from atelier_nbgrader.feedback_words import translate_page
from atelier_nbgrader.gradebook import open_gradebook
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.no_room import describe
from atelier_nbgrader.packing import PackingRefusal, pack
from atelier_nbgrader.staging import make_result


class ExchangeReleaseFeedback(Exchange, abc.ExchangeReleaseFeedback):
    """Stages a result for every collected submission; those with a problem have no points, and say why.

    Afterwards `results` holds what was sent. Needs no authenticator: formgrader does not pass one (a typo in
    nbgrader 0.9.6), and the token says who this is.
    """

    results: list[dict[str, Any]]

    def init_src(self) -> None:
        self.results = []
        self.desk = Desk(self.coursedir.root)
        wanted = str(self.coursedir.student_id or "*")
        without = set(str(self.coursedir.student_id_exclude).split(","))
        self.accounts = [
            account
            for account in self.desk.list_accounts(self.assignment)
            if wanted in ("*", account) and account not in without
        ]
        if not self.accounts:
            self.fail(
                _("Nothing is collected for {name}: collect and autograde first.").format(
                    name=self.assignment
                )
            )

    def copy_files(self) -> None:
        with open_gradebook(self.coursedir) as gradebook:
            for account in self.accounts:
                result = make_result(gradebook, self.coursedir, self.desk, self.assignment, account)
                result["feedback_id"] = self.stage_feedback(account, result)
                self.results.append(result)
                if result["problem"]:
                    text = _("{account} has no points: {problem}")
                    self.log.warning(text.format(account=account, problem=result["problem"]))
        self.service.post(self.address("results"), self.results)
        text = _(
            "{count} results of {name} are staged. Confirm them on the course page; then students see them."
        )
        self.log.info(text.format(count=len(self.results), name=self.assignment))

    def stage_feedback(self, account: str, result: dict[str, Any]) -> str | None:
        """Send one submission's feedback, unless the same was sent before; returns its id.

        A feedback that cannot be sent is reported, and the result goes without it.
        """
        place = self.coursedir.format_path(self.coursedir.feedback_directory, account, self.assignment)
        if result["problem"] is not None or not any(Path(place).glob("*.html")):
            return None
        try:
            return self._send_feedback(account, Path(place), str(result["submission_id"]))
        except (ServiceRefusal, PackingRefusal, OSError) as error:
            text = _("The feedback of {account} was not sent: {reason}")
            self.log.error(text.format(account=account, reason=describe(error)))
            return None

    def _send_feedback(self, account: str, folder: Path, submission_id: str) -> str:
        archive = io.BytesIO()
        with tempfile.TemporaryDirectory(prefix="atelier-") as pages:
            for file in sorted(folder.glob("*.html")):
                Path(pages, file.name).write_text(
                    protect_page(translate_page(file.read_text(encoding="utf-8"))), encoding="utf-8"
                )
            pack(Path(pages), archive)
        sha256 = hashlib.sha256(archive.getbuffer()).hexdigest()
        sent = self.desk.find_staged_feedback(self.assignment, account)
        if sent.get("sha256") == sha256:
            return str(sent["id"])
        answer = self.service.upload(path("submissions", submission_id, "feedback"), archive)
        self.desk.note_staged(self.assignment, account, sha256, str(answer["id"]))
        return str(answer["id"])
