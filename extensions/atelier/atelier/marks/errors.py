"""Refusals of this room: a code for programs, a sentence for people."""

from atelier.texts import translate


class MarkError(ValueError):
    """Results or marks that cannot be taken. `template` is the English msgid, `params` fills it."""

    def __init__(self, code: str, template: str, **params: object) -> None:
        super().__init__(template % params)
        self.code = code
        self.template = template
        self.params = params

    def text(self, language: str | None) -> str:
        """Return the sentence in the reader's language."""
        return translate(language)(self.template) % self.params


class StaleConfirmation(MarkError):
    """The list changed after the teacher saw it: nothing was confirmed, show it again."""
