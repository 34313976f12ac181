"""Refusals of this room."""

from atelier.refused import Refused


class LessonError(Refused, ValueError):
    """A lesson that cannot be announced so."""


class LessonNotFound(LookupError):
    """There is no such lesson in the course, or it was removed."""
