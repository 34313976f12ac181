"""Says in a sentence why a program in a workspace got no answer from the internet: an IPython extension.

The traceback stays; the sentence stands below it. `pip.py` beside it says the same of installing.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

# Without a route a connection fails at once; some libraries wait for an answer instead.
UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT}
NETWORK = {
    "bg": "Оттук няма достъп до интернет: програмата поиска адрес извън Ателие. Данните за задачата са "
    "в папката ѝ; ако ти трябват други, кажи на учителя си.",
    "en": "There is no way to the internet from here: the program asked for an address outside Atelier. The "
    "data of your assignment lie beside it; if you need others, tell your teacher.",
}
INSTALL = {
    "bg": "Тук не се инсталират пакети: работното място няма достъп до интернет. numpy, pandas, matplotlib, "
    "scipy, statsmodels и ipywidgets са готови; ако ти трябва друг, кажи на учителя си.",
    "en": "Packages cannot be installed here: a workspace has no way to the internet. numpy, pandas, "
    "matplotlib, scipy, statsmodels and ipywidgets are ready; if you need another one, tell your teacher.",
}


def choose(texts: dict[str, str]) -> str:
    """The text in the workspace's language."""
    return texts.get(os.environ.get("ATELIER_LANGUAGE", "bg"), texts["en"])


def is_offline(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, is a name without address or a network without way."""
    return any(
        isinstance(cause, (socket.gaierror, socket.timeout))
        or (isinstance(cause, OSError) and cause.errno in UNREACHABLE)
        for cause in list_causes(error)
    )


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and what it holds: libraries wrap the system's word in their
    own.
    """
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def show(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: Any = None
) -> None:
    """Show an error as ever and, when it is about the internet, the sentence below it."""
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    if is_offline(error):
        sys.stderr.write(f"{choose(NETWORK)}\n")


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython when a kernel starts."""
    shell.set_custom_exc((OSError,), show)


def refuse_install() -> None:
    """What `pip` does here."""
    sys.stderr.write(f"{choose(INSTALL)}\n")
    raise SystemExit(1)
