"""Refusals of this room: a code for programs, a sentence for people."""

from atelier.texts import translate


class ProjectError(ValueError):
    """Something asked of a course, team or assignment cannot be done.

    `code` is stable; `template` is the English msgid with ``%(name)s`` placeholders; `params` fills them.
    """

    def __init__(self, code: str, template: str, **params: object) -> None:
        super().__init__(template % params)
        self.code = code
        self.template = template
        self.params = params

    def text(self, language: str | None) -> str:
        """Return the sentence in the reader's language."""
        return translate(language)(self.template) % self.params


class NotFound(ProjectError, LookupError):
    """A course, project, team or assignment is not there (or not in the course that was named)."""


class NonexistentTime(ProjectError):
    """A local time that clocks skip when they go forward."""


class AmbiguousTime(ProjectError):
    """A local time that clocks show twice when they go back; ask which one is meant (`fold` 0 or 1)."""


class TemplateError(ProjectError):
    """A folder below course_templates/ that cannot be used; the text lists every fault."""
