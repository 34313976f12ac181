"""What a room refuses: a stable code for programs, a sentence in the reader's language for people."""

from atelier.texts import translate


class Refused(Exception):
    """Something asked for cannot be done. Rooms derive their own kinds from this one.

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
