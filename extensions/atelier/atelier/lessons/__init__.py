"""Announced lessons: when they are held, whose workspaces belong to them, what is due at an instant."""

from atelier.lessons.announcing import Announcement, announce, list_classes, list_coming, remove, remove_day
from atelier.lessons.due import OVER_FOR, DueLesson, find_busy_s, list_due, list_over
from atelier.lessons.errors import LessonError, LessonNotFound
from atelier.lessons.timetable import PREPARE_BEFORE, Occurrence

__all__ = [
    "OVER_FOR",
    "PREPARE_BEFORE",
    "Announcement",
    "DueLesson",
    "LessonError",
    "LessonNotFound",
    "Occurrence",
    "announce",
    "find_busy_s",
    "list_classes",
    "list_coming",
    "list_due",
    "list_over",
    "remove",
    "remove_day",
]
