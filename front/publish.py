"""The files that the front serves itself, laid out under names that say what is in them.

::

    shared/lab/<content id>/…             Lab's own files              https://static--service.<host>/lab/<id>/…
    shared/labextensions/<content id>/…   browser parts of extensions
    shared/answers/<hash>.json            what Lab asks its server at each start, where equal for many
    by-version/<hash>/hub/static/…        the hub's, as its pages ask for them with ?v=<hash>
    by-version/<hash>/services/atelier/static/…   the service's, likewise
    pages/                                what is shown while nothing behind the front answers

What was published is never changed: a file that differs gets another folder, so that browsers may keep each
for ever, and pages of an older version find theirs during an upgrade. Each part is published where it is
installed: a stack of containers runs ``publish lab`` from the workspace image, ``publish hub`` from the hub's
image.
"""

import functools
import gzip
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPRESSED = {".css", ".js", ".json", ".map", ".mjs", ".svg", ".txt", ".ttf", ".eot", ".ico", ".wasm"}
SMALLEST_COMPRESSED_BYTES = 256
# Seen by nobody's browser: how Lab was built, and the page that the workspace itself renders.
NOT_FOR_BROWSERS = {"build_log.json", "index.html", "package.json", "third-party-licenses.json"}
# Of the hub's folder, which holds the sources of its libraries too.
HUB_FILES = (
    "css/*.min.css",
    "js/*.js",
    "images/*",
    "favicon.ico",
    "components/*/*.min.js",
    "components/*/dist/*.min.js",
    "components/*/dist/js/*.min.js",
    "components/requirejs/require.js",
)
PAGES_DIR = Path(__file__).parent / "pages"
# 11 is brotli's best: two thirds of gzip's size, half a minute of CPU for all of Lab, once.
BROTLI_QUALITY = 11


def publish_lab(target: Path) -> None:
    """Publish what Lab's page loads in this environment, for every kind of workspace."""
    from atelier_lab.shared_files import PARTS, find_content_id, list_files

    for part, (folder, _) in PARTS.items():
        files = {name: file for name, file in list_files(folder) if Path(name).name not in NOT_FOR_BROWSERS}
        _publish_folder(files, target / "shared" / part / find_content_id(folder))
    _publish_answers(target / "shared" / "answers")


def _publish_answers(folder: Path) -> None:
    from atelier_lab.shared_answers import find_answer_name, list_shared_answers

    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "links").mkdir()
        for number, answer in enumerate(list_shared_answers(Path(work) / "links")):
            name = find_answer_name(answer)
            source = Path(work) / f"{number}.json"
            source.write_bytes(answer)
            if not (folder / name).exists():
                _copy_into({name: source}, folder)


def publish_hub(target: Path) -> None:
    """Publish the hub's static files."""
    from jupyterhub._data import DATA_FILES_PATH

    folder = Path(DATA_FILES_PATH) / "static"
    for pattern in HUB_FILES:
        for file in sorted(folder.glob(pattern)):
            # JupyterHub's static_url(): tornado's hash of the content.
            version = hashlib.sha512(file.read_bytes()).hexdigest()
            _publish_version(file, target, version, f"hub/static/{file.relative_to(folder).as_posix()}")


def publish_pages(target: Path) -> None:
    """Publish the service's static files, and the hub's styles that it uses."""
    from atelier.pages import HUB_CSS_DIR, STATIC_DIR, static_version
    from atelier.settings import SERVICE_PREFIX

    for folder, below in ((STATIC_DIR, ""), (HUB_CSS_DIR, "hub/")):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                name = f"{below}{file.relative_to(folder).as_posix()}"
                _publish_version(
                    file, target, static_version(file), f"{SERVICE_PREFIX.strip('/')}/static/{name}"
                )


def publish_front(target: Path) -> None:
    """Publish the front's own pages. These have no version: they are never cached."""
    _copy_into({file.name: file for file in PAGES_DIR.iterdir()}, target / "pages")


PARTS: Mapping[str, Callable[[Path], None]] = {
    "lab": publish_lab,
    "hub": publish_hub,
    "pages": publish_pages,
    "front": publish_front,
}


def _publish_version(file: Path, target: Path, version: str, address: str) -> None:
    # Files with the same hash are the same file: their folder may hold several names of it.
    if not (target / "by-version" / version / address).exists():
        _copy_into({address: file}, target / "by-version" / version)


def _publish_folder(files: Mapping[str, Path], folder: Path) -> None:
    """Copy files into `folder`, all or nothing. A folder that is there already is complete and stays."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        _copy_into(files, draft)
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError:
        if not folder.exists():  # else somebody published the same meanwhile
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy_into(files: Mapping[str, Path], folder: Path) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda item: _copy_file(item[1], folder / item[0]), files.items()))


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file, its compressed forms beside it. The file itself comes last: it is there, or nothing is.

    A browser keeps for ever what it was given, so a half written file must never be found.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=target.parent) as folder:
        draft = Path(folder) / target.name
        shutil.copyfile(source, draft)
        if draft.suffix in COMPRESSED and draft.stat().st_size >= SMALLEST_COMPRESSED_BYTES:
            _compress(draft)
        for path in sorted(Path(folder).iterdir(), key=lambda one: one == draft):
            path.chmod(0o644)
            path.replace(target.parent / path.name)


def _compress(path: Path) -> None:
    """Put ``.gz`` and ``.br`` beside a file, as nginx looks for them."""
    zipped = path.with_name(f"{path.name}.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))
    if brotli := _find_brotli():
        subprocess.run([brotli, f"--quality={BROTLI_QUALITY}", "--force", "--keep", str(path)], check=True)


@functools.cache
def _find_brotli() -> str | None:
    return shutil.which("brotli")
