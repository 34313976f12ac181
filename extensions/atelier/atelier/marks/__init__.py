"""Marks: results are staged by a course workspace, shown as a list, confirmed by a teacher, exported."""

from atelier.marks.adjusting import adjust_preview
from atelier.marks.confirm import Confirmation, confirm_marks
from atelier.marks.errors import MarkError, StaleConfirmation
from atelier.marks.export import export_marks_csv
from atelier.marks.lists import list_assignment_marks, list_course_marks, list_marks_of
from atelier.marks.preview import Preview, Row, preview_marks
from atelier.marks.staging import Result, find_newest_result, stage_results
from atelier.marks.waiting import count_to_confirm

__all__ = [
    "Confirmation",
    "MarkError",
    "Preview",
    "Result",
    "Row",
    "StaleConfirmation",
    "adjust_preview",
    "confirm_marks",
    "count_to_confirm",
    "export_marks_csv",
    "find_newest_result",
    "list_assignment_marks",
    "list_course_marks",
    "list_marks_of",
    "preview_marks",
    "stage_results",
]
