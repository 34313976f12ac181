"""Which names a file in an archive may have.

A path must mean the same file on every system that will ever unpack it: the workspace (Linux), a teacher's
Windows laptop, a Mac. So it is relative, says nothing about folders above, and differs from every other path
of the archive by more than upper and lower case or the way an accent is encoded. (Rules of Windows: "Naming
Files, Paths, and Namespaces", Microsoft Learn. APFS keeps normalisation forms but does not tell them apart.)
"""

import hashlib
import unicodedata

from atelier.exchange.errors import ExchangeError
from atelier.texts import N_

MAX_PATH_BYTES = 512
MAX_NAME_BYTES = 255
MAX_DEPTH = 16
SHOWN_CHARACTERS = 80

# Control and invisible formatting characters (among them those that turn the reading direction), halves of
# characters, private use, line and paragraph separators.
_BAD_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_BAD_ON_WINDOWS = frozenset('<>:"|?*\\')
_DEVICES_OF_WINDOWS = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)


class ArchivePaths:
    """The paths of one archive, each allowed and all distinct. Keeps digests: 32 bytes a path."""

    def __init__(self, max_paths: int) -> None:
        self._max_paths = max_paths
        self._known: dict[bytes, tuple[bytes, bool]] = {}
        self._listed: set[bytes] = set()

    def add(self, path: str, is_folder: bool) -> None:
        """Take note of an entry. Folders that it only implies count as well.

        Raises ExchangeError: `path_not_allowed`, `too_many_files`.
        """
        parts = check_path(path)
        if not parts and not is_folder:
            raise _refuse(path, N_("“%(name)s” points outside the folder of the work, or is no proper path."))
        for depth in range(1, len(parts)):
            self._note("/".join(parts[:depth]), is_folder=True)
        whole = "/".join(parts)
        key = self._note(whole, is_folder)
        if parts and key in self._listed:
            raise _refuse(path, N_("“%(name)s” is in the archive twice."))
        self._listed.add(key)

    def _note(self, path: str, is_folder: bool) -> bytes:
        key, spelling = _digest(_fold(path)), _digest(path)
        known = self._known.setdefault(key, (spelling, is_folder))
        if known[0] != spelling:
            text = N_("“%(name)s” differs from another name only in capital letters or accents. Rename one.")
            raise _refuse(path, text)
        if known[1] != is_folder:
            raise _refuse(path, N_("“%(name)s” is both a file and a folder in this archive."))
        if len(self._known) > self._max_paths:
            text = N_(
                "There are more than %(limit)d files and folders. Remove what does not belong to the work."
            )
            raise ExchangeError(422, "too_many_files", text, limit=self._max_paths)
        return key


def check_path(path: str) -> tuple[str, ...]:
    """Return the names along `path`, empty for the archive's own folder (``.``); a leading ``./`` is dropped.

    Raises ExchangeError with the code `path_not_allowed`.
    """
    parts = tuple(path.split("/"))
    if parts[0] == "." and path != "./":
        parts = parts[1:]
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES or len(parts) > MAX_DEPTH:
        raise _refuse(path, N_("“%(name)s” is too long or too many folders deep. Use shorter names."))
    for name in parts:
        _check_name(name, path)
    return parts


def show_name(name: str) -> str:
    """Return a name as it may be shown to people: nothing invisible in it, and not too long."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name[: SHOWN_CHARACTERS + 1])
    return shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"


def _check_name(name: str, path: str) -> None:
    if name in ("", ".", ".."):
        raise _refuse(path, N_("“%(name)s” points outside the folder of the work, or is no proper path."))
    if any(unicodedata.category(c) in _BAD_CATEGORIES for c in name):
        raise _refuse(path, N_("“%(name)s” has invisible characters in its name. Rename it."))
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _refuse(path, N_("“%(name)s” is too long or too many folders deep. Use shorter names."))
    stem = name.partition(".")[0].rstrip(" ").casefold()
    if not _BAD_ON_WINDOWS.isdisjoint(name) or name[-1] in ". " or stem in _DEVICES_OF_WINDOWS:
        text = N_(
            '“%(name)s” cannot be opened on Windows. Rename it without < > : " | ? * \\ and a dot at the end.'
        )
        raise _refuse(path, text)


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _refuse(path: str, text: str) -> ExchangeError:
    return ExchangeError(422, "path_not_allowed", text, name=show_name(path))
