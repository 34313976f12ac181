"""Keeps codes, states, tokens, addresses and files' names out of the hub's log, whoever writes them there.

JupyterHub scrubs its own request lines; tornado's lines about failed requests carry the whole address.
"""

import logging
import re
from collections.abc import Iterable

_SECRET = re.compile(
    r"(?P<name>(?:\b|(?<=%3F)|(?<=%26))(?:code|state|token|access_token|id_token|refresh_token|client_secret|code_verifier|_xsrf)"
    r"(?:=|%3D|\"?'?:\s*\"?'?))(?P<value>[^&\s\"',;)}]{6,})",
    re.IGNORECASE,
)
# JupyterHub logs the session and the cookie id of whom it gives a new form token.
_COOKIE_ID = re.compile(r"(xsrf cookie for )b'[^']*'")
# Of an e-mail address, not of ``account@127.0.0.1`` in a request's line.
_ADDRESS = re.compile(r"[\w.+-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}", re.IGNORECASE)
# What stands behind an account's address is the path of a file, and people give files their own names.
_PLACE = re.compile(r"((?:/|%2F)user(?:/|%2F)[\w-]+(?:/|%2F)[a-z_-]+(?:/|%2F))[^\s?&'\",)]+", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """Return `text` without values of secret parameters, e-mail addresses and paths inside a workspace."""
    text = _PLACE.sub(r"\1[path]", text)
    text = _COOKIE_ID.sub(r"\1[secret]", _SECRET.sub(r"\g<name>[secret]", text))
    return _ADDRESS.sub("[address]", text)


class SecretsFilter(logging.Filter):
    """Rewrites records that name a secret parameter with its value, an address or a file."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = hide_secrets(message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        said = str(record.exc_info[1]) if record.exc_info and record.exc_info[1] is not None else ""
        if said != hide_secrets(said):
            record.exc_info = None
            record.msg = f"{hidden} (traceback left out: it names a secret)"
            record.args = ()
        return True


def hide_secrets_in(loggers: Iterable[logging.Logger]) -> None:
    """Put one filter on each logger, once."""
    for logger in loggers:
        if not any(isinstance(known, SecretsFilter) for known in logger.filters):
            logger.addFilter(SecretsFilter())
