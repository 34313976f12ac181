"""Which files the front offers under which names, and what Lab's page says about them."""

import gzip
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from atelier_lab import shared_files
from atelier_lab.lab_config import configure, disabled_extensions, left_out
from atelier_lab.shared_files import COOKIE, find_content_id, install_shared_files
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from front import publish

STATIC = "https://static--service.atelier.localhost"
NOW_S = 1_800_000_000
ENVIRON = {"ATELIER_KIND": "personal", "ATELIER_STATIC_URL": STATIC}


def make_files(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


@given(
    content=st.text(alphabet="ab", min_size=1, max_size=3),
    other=st.text(alphabet="ab", min_size=1, max_size=3),
)
def test_a_content_id_differs_exactly_when_a_file_does(
    tmp_path_factory: pytest.TempPathFactory, content: str, other: str
) -> None:
    one, two = (
        make_files(tmp_path_factory.mktemp("id"), {"a/style.js": text, "main.0123456789abcdef.js": "x"})
        for text in (content, other)
    )
    assert (find_content_id(one) == find_content_id(two)) is (content == other)


def test_a_content_id_sees_names_and_linked_folders(tmp_path: Path) -> None:
    plain = make_files(tmp_path / "plain", {"name/static/remoteEntry.0123456789abcdef.js": "x"})
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "name").symlink_to(plain / "name")
    assert find_content_id(linked) == find_content_id(plain)
    renamed = make_files(tmp_path / "renamed", {"name/static/remoteEntry.1123456789abcdef.js": "x"})
    assert find_content_id(renamed) != find_content_id(plain)


def test_what_is_published_never_changes_and_never_lies_there_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_files(tmp_path / "lab", {"main.js": "first " * 100, "index.html": "of the workspace"})
    monkeypatch.setattr(shared_files, "PARTS", {"lab": (source, "fullStaticUrl")})
    target = tmp_path / "target"
    first_id = find_content_id(source)
    publish.publish_lab(target)
    published = target / "shared" / "lab" / first_id
    assert gzip.decompress((published / "main.js.gz").read_bytes()) == b"first " * 100
    assert not (published / "index.html").exists()
    (published / "main.js").write_text("untouched")
    publish.publish_lab(target)
    assert (published / "main.js").read_text() == "untouched"
    make_files(source, {"main.js": "second"})
    publish.publish_lab(target)
    assert {path.name for path in published.parent.iterdir()} == {first_id, find_content_id(source)}

    make_files(source, {"main.js": "third"})

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(publish, "_compress", fail)
    make_files(source, {"main.js": "third " * 100})
    with pytest.raises(OSError, match="disk full"):
        publish.publish_lab(target)
    assert not (published.parent / find_content_id(source)).exists()
    assert len(list(published.parent.iterdir())) == 2


def test_hub_and_pages_lie_under_the_versions_in_their_own_addresses(tmp_path: Path) -> None:
    from atelier.pages.site import _static_url
    from jupyterhub._data import DATA_FILES_PATH
    from jupyterhub.handlers.static import CacheControlStaticFilesHandler

    publish.publish_hub(tmp_path)
    publish.publish_pages(tmp_path)
    style = Path(DATA_FILES_PATH) / "static" / "css" / "style.min.css"
    version = CacheControlStaticFilesHandler.get_content_version(str(style))
    assert (tmp_path / "by-version" / version / "hub/static/css/style.min.css").is_file()
    for name in ("atelier.css", "hub/bootstrap.min.css"):
        path, _, version = _static_url(name).partition("?v=")
        assert (tmp_path / "by-version" / version / path.lstrip("/")).is_file(), name


def make_page(cookie: str | None, environ: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return Lab's configuration before and after the hook, for a browser with or without the cookie."""
    app = SimpleNamespace(settings={"page_config_hook": lambda _handler, page: page | {"token": "t"}})
    install_shared_files(app, environ, lambda: NOW_S)
    handler = SimpleNamespace(get_cookie=lambda name: cookie if name == COOKIE else None)
    before = {"fullStaticUrl": "/user/x/static/lab", "fullLabextensionsUrl": "/user/x/lab/extensions"}
    return before, app.settings["page_config_hook"](handler, before)


def test_labs_page_says_where_all_accounts_find_the_files() -> None:
    before, after = make_page(None, ENVIRON)
    assert after["token"] == "t"
    for option, (folder, name) in (
        ("lab", shared_files.PARTS["lab"]),
        ("labextensions", shared_files.PARTS["labextensions"]),
    ):
        assert after[name] == f"{STATIC}/{option}/{find_content_id(folder)}"
    assert before["fullStaticUrl"] == "/user/x/static/lab", "Lab keeps this object for other browsers"


@pytest.mark.parametrize(
    ("cookie", "environ"),
    [(str(NOW_S), ENVIRON), (None, {"ATELIER_KIND": "personal"}), (None, {"ATELIER_STATIC_URL": STATIC})],
)
def test_labs_page_says_its_own_files_otherwise(cookie: str | None, environ: dict[str, str]) -> None:
    _, after = make_page(cookie, environ)
    assert after["fullStaticUrl"] == "/user/x/static/lab"
    assert "atelierStaticUrl" not in after


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_only_what_is_off_anyway_is_not_loaded(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert left_out(kind) <= set(disabled_extensions(kind)) | {"@jupyter-notebook/lab-extension"}
    c = Config()
    configure(c, {"ATELIER_KIND": kind})
    (folder,) = c.LabApp.labextensions_path
    links = [*Path(folder).glob("[!@]*"), *Path(folder).glob("@*/*")]
    loaded = {link.relative_to(folder).as_posix() for link in links if (link / "package.json").is_file()}
    assert {"@jupyter-widgets/jupyterlab-manager", "atelier-lab"} <= loaded
    assert ("@jupyter/docprovider-extension" in loaded) is (kind == "team")
    assert ("@jupyter/nbgrader" in loaded) is (kind == "course")


def test_a_second_start_replaces_the_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for kind in ("team", "personal", "personal"):
        c = Config()
        configure(c, {"ATELIER_KIND": kind, "ATELIER_STATIC_URL": STATIC})
    assert not (Path(c.LabApp.labextensions_path[0]) / "@jupyter").exists()
    assert (Path(c.LabApp.schemas_dir) / "@jupyterlab" / "notebook-extension" / "tracker.json").is_file()
    assert 'extends "stock.html"' in (Path(c.LabApp.templates_dir) / "index.html").read_text()
