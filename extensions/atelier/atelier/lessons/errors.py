"""Refusals of this room: a code for programs, a sentence for people."""

from atelier.texts import translate


class LessonError(ValueError):
    """A lesson that cannot be announced so.

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


class LessonNotFound(LookupError):
    """There is no such lesson in the course, or it was removed."""
