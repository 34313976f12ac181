"""List: what is released, and what was submitted, in the form that nbgrader's programs expect."""

from pathlib import Path
from typing import Any

from nbgrader.exchange import abc

from atelier_nbgrader.exchange.exchange import Exchange
from atelier_nbgrader.instants import folder_time
from atelier_nbgrader.language import translate as _


class ExchangeList(Exchange, abc.ExchangeList):
    """Released assignments, or with `inbound` or `cached` the submissions this account may see."""

    def copy_files(self) -> None:
        """Listing copies nothing."""

    def start(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().start()
        return found

    def list_files(self) -> list[dict[str, Any]]:
        listed = self._list_submitted() if self.inbound or self.cached else self._list_released()
        for info in listed:
            for line in info.get("submissions", [info]):
                self.log.info(describe(line))
        return listed

    def remove_files(self) -> list[dict[str, Any]]:
        self.fail(_("A release stays: others may have fetched it. Release a corrected version instead."))
        raise AssertionError  # fail() raises

    def _list_courses(self) -> list[str]:
        if self.coursedir.course_id:
            return [str(self.coursedir.course_id)]
        return [str(course["slug"]) for course in self.service.get("me")["courses"]]

    def _list_wanted(self) -> list[tuple[str, dict[str, Any]]]:
        wanted = self.coursedir.assignment_id
        return [
            (course, assignment)
            for course in self._list_courses()
            for assignment in self.list_assignments(course)
            if wanted in ("", "*", assignment["name"])
        ]

    def _list_released(self) -> list[dict[str, Any]]:
        return [
            self._describe_release(course, found) for course, found in self._list_wanted() if found["release"]
        ]

    def _describe_release(self, course: str, assignment: dict[str, Any]) -> dict[str, Any]:
        folder = self.home / course / assignment["name"]
        return {
            "course_id": course,
            "assignment_id": assignment["name"],
            "student_id": "*",
            "status": "fetched" if folder.is_dir() else "released",
            "path": str(folder),
            "notebooks": [
                {"notebook_id": file.stem, "path": str(file)} for file in sorted(folder.glob("*.ipynb"))
            ],
        }

    def _list_submitted(self) -> list[dict[str, Any]]:
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for course, assignment in self._list_wanted():
            for receipt in assignment["submissions"]:
                line = self._describe_submission(course, assignment["name"], receipt)
                groups.setdefault((course, line["student_id"], line["assignment_id"]), []).append(line)
        return [
            {
                "course_id": course,
                "student_id": account,
                "assignment_id": name,
                "status": "submitted",
                "submissions": sorted(lines, key=lambda line: str(line["timestamp"])),
            }
            for (course, account, name), lines in sorted(groups.items())
        ]

    def _describe_submission(self, course: str, name: str, receipt: dict[str, Any]) -> dict[str, Any]:
        folder = self.home / course / name
        feedback = folder / "feedback" / folder_time(receipt["received_at"])
        has_feedback = feedback.is_dir()
        return {
            "course_id": course,
            "assignment_id": name,
            "student_id": receipt["account"],
            "timestamp": receipt["received_at"],
            "status": "submitted",
            "path": str(folder),
            "receipt": receipt,
            "notebooks": [_describe_notebook(file, feedback) for file in sorted(folder.glob("*.ipynb"))],
            "has_local_feedback": has_feedback,
            "has_exchange_feedback": has_feedback,
            "feedback_updated": False,
            "local_feedback_path": str(feedback) if has_feedback else None,
        }


def _describe_notebook(file: Path, feedback: Path) -> dict[str, Any]:
    page = feedback / f"{file.stem}.html"
    return {
        "notebook_id": file.stem,
        "path": str(file),
        "has_local_feedback": page.is_file(),
        "has_exchange_feedback": page.is_file(),
        "local_feedback_path": str(page) if page.is_file() else None,
        "feedback_updated": False,
    }


def describe(info: dict[str, Any]) -> str:
    """One line for the command's output."""
    if info["status"] == "submitted":
        receipt = info["receipt"]
        late = _(" (late)") if receipt["late"] else ""
        return f"{info['course_id']} {info['assignment_id']} {info['student_id']} {info['timestamp']}{late}"
    fetched = _(" (already downloaded)") if info["status"] == "fetched" else ""
    return f"{info['course_id']} {info['assignment_id']}{fetched}"
