"""What all verbs share: whose workspace this is, which course and assignment, and where the files lie."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbgrader.exchange import abc
from traitlets import Integer

from atelier_nbgrader.exchange.client import ServiceClient, ServiceRefusal, path
from atelier_nbgrader.language import translate as _
from atelier_nbgrader.no_room import describe, is_about_room
from atelier_nbgrader.packing import PackingRefusal
from atelier_nbgrader.unpacking import BrokenArchive, UnpackLimits


class Exchange(abc.Exchange):
    """Base of the verbs. A subclass fills nbgrader's three steps: init_src, init_dest, copy_files."""

    archive_max_mb = Integer(2000, help="Largest archive that is downloaded, in MB.").tag(config=True)
    unpacked_max_mb = Integer(4000, help="What an archive may unpack to, in MB.").tag(config=True)

    # Replaced in tests; a workspace always speaks to its own service.
    connect: Callable[[], ServiceClient] = staticmethod(ServiceClient.of_workspace)

    def start(self) -> Any:
        """Run the three steps. A refusal becomes nbgrader's ExchangeError with one sentence for people."""
        try:
            with self.connect() as self.service:
                return super().start()
        except (ServiceRefusal, PackingRefusal, BrokenArchive) as refusal:
            self.fail(str(refusal))
        except OSError as error:
            if not is_about_room(error):
                raise
            self.fail(describe(error))

    def init_src(self) -> None:
        """Nothing to prepare, unless a verb says otherwise."""

    def init_dest(self) -> None:
        """Nothing to prepare, unless a verb says otherwise."""

    @property
    def course(self) -> str:
        """The course's slug; the only course of this account when none was named."""
        if not self.coursedir.course_id:
            slugs = [str(course["slug"]) for course in self.service.get("me")["courses"]]
            if len(slugs) != 1:
                self.fail(
                    _("Say which course: --course=…, one of {courses}.").format(courses=", ".join(slugs))
                )
            self.coursedir.course_id = slugs[0]
        return str(self.coursedir.course_id)

    @property
    def assignment(self) -> str:
        name = str(self.coursedir.assignment_id)
        if not name or name == "*":
            self.fail(_("Say which assignment."))
        return name

    @property
    def home(self) -> Path:
        """Where the courses' folders lie in a student's or team's workspace."""
        return Path(self.assignment_dir).expanduser().resolve()

    @property
    def folder(self) -> Path:
        """The assignment's folder in a student's or team's workspace: `~/<course>/<assignment>`."""
        return self.home / self.course / self.assignment

    def address(self, *more: str) -> str:
        """The assignment's address in the exchange."""
        return path("courses", self.course, "assignments", self.assignment, *more)

    def list_assignments(self, course: str) -> list[dict[str, Any]]:
        """The assignments this account sees in a course, as the exchange describes them."""
        found = self.service.get(path("courses", course, "assignments"))
        return list(found)

    def find_assignment(self) -> dict[str, Any]:
        """This assignment as the exchange describes it; fails when the account has no such assignment."""
        for found in self.list_assignments(self.course):
            if found["name"] == self.assignment:
                return found
        text = _("There is no assignment “{name}” for you in {course}.")
        self.fail(text.format(name=self.assignment, course=self.course))
        raise AssertionError  # fail() raises

    @property
    def unpack_limits(self) -> UnpackLimits:
        return UnpackLimits(total_mb=self.unpacked_max_mb)

    @property
    def archive_max_bytes(self) -> int:
        return int(self.archive_max_mb) * 1_000_000


def is_team_workspace() -> bool:
    return os.environ.get("ATELIER_KIND") == "team"
