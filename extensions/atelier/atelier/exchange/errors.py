"""Refusals of the exchange: a stable code for programs, a sentence in the reader's language for people."""

from collections.abc import Mapping

from atelier.refused import Refused


class ExchangeError(Refused):
    """A refused request, with the HTTP status and headers of its answer."""

    def __init__(
        self,
        status: int,
        code: str,
        template: str,
        *,
        headers: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        super().__init__(code, template, **params)
        self.status = status
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.code}: {super().__str__()}"
