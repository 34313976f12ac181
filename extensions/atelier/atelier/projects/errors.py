"""Refusals of this room."""

from atelier.refused import Refused


class ProjectError(Refused, ValueError):
    """Something asked of a course, team or assignment cannot be done."""


class NotFound(ProjectError, LookupError):
    """A course, project, team or assignment is not there (or not in the course that was named)."""


class NonexistentTime(ProjectError):
    """A local time that clocks skip when they go forward."""


class AmbiguousTime(ProjectError):
    """A local time that clocks show twice when they go back; ask which one is meant (`fold` 0 or 1)."""


class TemplateError(ProjectError):
    """A folder below course_templates/ that cannot be used; the text lists every fault."""
