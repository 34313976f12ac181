"""Every error of the server part as one sentence: what is the matter and what to do."""

import tarfile
import zlib
from typing import Any, ClassVar

from tornado import web

from atelier_lab.kernel_words import is_about_room
from atelier_lab.live_documents import NotSaved
from atelier_lab.restore import UnsafeArchive
from atelier_lab.service import ServiceRefused, ServiceUnreachable
from atelier_lab.texts import N_, translate
from atelier_lab.transfer import TransferRefused

UNREACHABLE = N_("The Atelier service does not answer. Your files are safe here. Try again in a minute.")
NOT_DONE = N_(
    "This did not work. Your files are unchanged. Try again; if it happens again, tell your teacher."
)
NOT_SAVED = N_("The notebook could not be saved, so nothing was submitted. Save it, then submit again.")
BROKEN = N_("This submission cannot be opened here. Tell your teacher; the submission itself is safe.")
SIGNED_OUT = N_("You are signed out. Reload the page and sign in.")
NO_SPACE = N_("There is no space left in this workspace. Delete files that you do not need, then try again.")


class Problem(Exception):
    """A refusal of the server part itself; `message` is an English msgid."""

    EXPECTED: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


Problem.EXPECTED = (Problem, ServiceRefused, ServiceUnreachable, TransferRefused, NotSaved, UnsafeArchive)


def explain(error: BaseException | None, status: int, language: str) -> tuple[int, dict[str, Any]]:
    """The HTTP status and the answer `{error, message, retry}` for `error`, in `language`."""
    status, code, message, retry = _classify(error, status)
    return status, {"error": code, "message": translate(language, message), "retry": retry}


def _classify(error: BaseException | None, status: int) -> tuple[int, str, str, bool]:
    match error:
        case ServiceRefused() if error.status == 401:
            return 502, "signed_out", SIGNED_OUT, False
        case ServiceRefused() | Problem():
            return error.status, error.code, error.message, False
        case ServiceUnreachable():
            return 502, "unreachable", UNREACHABLE, True
        case TransferRefused():
            return 409, "refused", str(error) or NOT_DONE, False
        case OSError() | NotSaved() if is_about_room(error):
            return 507, "no_space", NO_SPACE, False
        case NotSaved():
            return 409, "not_saved", NOT_SAVED, True
        case UnsafeArchive() | tarfile.TarError() | zlib.error() | EOFError() | FileExistsError():
            return 422, "broken_archive", BROKEN, False
        case web.HTTPError() if status in (401, 403):
            return status, "signed_out", SIGNED_OUT, False
        case _:
            return status, "failed", NOT_DONE, status >= 500
