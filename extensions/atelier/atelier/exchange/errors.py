"""Refusals of the exchange: a stable code for programs, a sentence in the reader's language for people."""

from collections.abc import Mapping

from atelier.texts import translate


class ExchangeError(Exception):
    """A refused request. `template` is an English msgid with ``%(name)s`` placeholders for `params`."""

    def __init__(
        self,
        status: int,
        code: str,
        template: str,
        *,
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(f"{code}: {template % params}")
        self.status = status
        self.code = code
        self.template = template
        self.params = params
        self.headers = dict(headers or {})

    def text(self, language: str | None) -> str:
        """Return the sentence in the reader's language."""
        return translate(language)(self.template) % self.params
