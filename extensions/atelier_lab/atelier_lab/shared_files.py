"""Lab's own files, the same for all accounts: under which name they lie at one address that all of them use.

Every account has an origin of its own, so a browser would load Lab anew for each student at the same laptop.
The front server offers the files once (`ATELIER_STATIC_URL`), in folders that are named after their content.
A workspace says in its page where its files are: there, or, when that fails in the browser, with itself.
"""

import functools
import hashlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_server import DEFAULT_STATIC_FILES_PATH

COOKIE = "atelier-own-files"
OWN_FILES_FOR_S = 3600
ID_LENGTH = 20
DATA_DIR = Path(sys.prefix) / "share" / "jupyter"
# Where each kind of file lies in this environment, and which of Lab's addresses leads to it.
PARTS = {
    "lab": (DATA_DIR / "lab" / "static", "fullStaticUrl"),
    "labextensions": (DATA_DIR / "labextensions", "fullLabextensionsUrl"),
    "favicons": (Path(DEFAULT_STATIC_FILES_PATH) / "favicons", "atelierFaviconsUrl"),
}
# Half of all that Lab loads; the page asks for it at once and not only when its scripts have found out.
_LARGEST = "jlab_core.*.js"
_NAME_WITH_HASH = re.compile(r"[.]?[0-9a-f]{16,}[.]\w+$")


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path below `folder` with slashes, file), in order. A linked folder counts as a folder."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            for name, file in list_files(path):
                yield f"{path.name}/{name}", file
        else:
            yield path.name, path


def find_content_id(folder: Path) -> str:
    """Return the name of a folder's content: 20 hexadecimal digits that differ as soon as a file does.

    The bundler puts a hash of the content into most names; such a file is not read again (Lab has 17 MB).
    """
    digest = hashlib.sha256()
    for name, file in list_files(folder):
        content = b"" if _NAME_WITH_HASH.search(name) else hashlib.sha256(file.read_bytes()).digest()
        digest.update(f"{name}\0{file.stat().st_size}\0".encode() + content)
    return digest.hexdigest()[:ID_LENGTH]


@functools.cache
def find_shared_addresses(static_url: str) -> dict[str, str]:
    """Return what Lab's page must say, by the names in its configuration, for files at `static_url`."""
    from atelier_lab.shared_answers import find_answer_name, make_translations

    addresses = {
        option: f"{static_url}/{part}/{find_content_id(folder)}"
        for part, (folder, option) in PARTS.items()
        if folder.is_dir()
    }
    lab, option = PARTS["lab"]
    for file in lab.glob(_LARGEST):
        version = file.name.split(".")[1]
        addresses["atelierPreload"] = f"{addresses[option]}/{file.name}?v={version}"
    translations = find_answer_name(make_translations())
    return {**addresses, "atelierStaticUrl": static_url, "atelierTranslations": translations}


def find_cookie_name(environ: Mapping[str, str]) -> str:
    """Return the name of the cookie with which a browser asks for the workspace's own files.

    Under https no page of another account can set it (``__Host-``).
    """
    https = environ.get("ATELIER_PAGES_URL", "").startswith("https:")
    return f"__Host-{COOKIE}" if https else COOKIE


def wants_own_files(value: str | None, now_s: float) -> bool:
    """Tell whether the cookie's value is the time of a page within the last hour.

    The cookie itself ends with the browser only. A page's time may lie ahead when the clock was set back.
    """
    if not value or not re.fullmatch(r"[0-9]{1,12}", value):
        return False
    return abs(now_s - int(value)) < OWN_FILES_FOR_S


def install_shared_files(
    web_app: Any, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> bool:
    """Let Lab's page name the shared address, unless this browser has found that it does not work.

    `clock` returns the present time in seconds. Returns whether there is such an address.
    """
    static_url = environ.get("ATELIER_STATIC_URL", "").rstrip("/")
    if not static_url or not environ.get("ATELIER_KIND"):
        return False
    earlier = web_app.settings.get("page_config_hook")
    cookie_name = find_cookie_name(environ)

    def say_where(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        page_config = earlier(handler, page_config) if earlier else page_config
        now_s = clock()
        if wants_own_files(handler.get_cookie(cookie_name), now_s):
            return page_config
        # The page sets this cookie when a file fails. The server's time: a laptop's clock may be wrong.
        own_files = {"atelierOwnFilesCookie": f"{cookie_name}={int(now_s)}"}
        # A copy: Lab keeps the given one for the next request, which may be another browser's.
        return {**page_config, **find_shared_addresses(static_url), **own_files}

    web_app.settings["page_config_hook"] = say_where
    return True
