"""Jupyter's defaults in Atelier's workspaces, by kind and language of the workspace.

`etc/jupyter/jupyter_server_config.py`, which the wheel installs, calls `configure` in every server.
See docs/decisions/ for why it is done there.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir

from atelier_lab.shared_files import DATA_DIR, PARTS

# Its server part is off; the browser would ask for it at each start, and the other two fail without it.
LSP = "@jupyterlab/lsp-extension"
NEEDS_LSP = [f"@jupyterlab/{part}-extension:language-server" for part in ("notebook", "fileeditor")]

# Both ask for the export formats when the first notebook opens; that alone loads nbconvert into the server.
EXPORT_FORMATS = [f"@jupyterlab/notebook-extension:{part}" for part in ("export", "update-raw-mimetype")]


def configure(c: Any, environ: Mapping[str, str]) -> None:
    """Set into `c` what the workspace's kind and language call for. Does nothing outside Atelier."""
    kind = environ.get("ATELIER_KIND")
    if kind is None:
        return
    c.ServerApp.jpserver_extensions = server_extensions(kind)
    # Not the login shell that would be the default: Debian's /etc/profile replaces PATH, and `nbgrader`,
    # `python` and `pip` of the workspace would not be found in its own terminal.
    c.ServerApp.terminado_settings = {"shell_command": [shutil.which("bash") or "sh"]}
    c.ServerApp.kernel_spec_manager_class = "atelier_lab.start.kernel_specs.KernelSpecs"
    c.LabApp.extension_manager = "readonly"
    c.LabApp.app_settings_dir = str(_write_app_settings(kind, environ.get("ATELIER_LANGUAGE", "en")))
    # Only the environment's: what lies in a home, which a whole team can write, is no part of Lab.
    c.LabApp.labextensions_path = [str(link_browser_parts(_own_folder(), kind))]
    c.LabApp.schemas_dir = str(link_schemas(_own_folder()))
    # What a kernel sends is repetitive text; uncompressed it is half of what a warm start loads.
    c.ServerApp.websocket_compression_options = {"compression_level": 6, "mem_level": 5}
    if environ.get("ATELIER_STATIC_URL"):
        c.LabApp.templates_dir = str(_write_templates())


def server_extensions(kind: str) -> dict[str, bool]:
    """Which server parts run. Each one left out saves memory and time at every start."""
    grading = kind == "course"
    return {
        "atelier_lab": True,
        "atelier_nbgrader": grading,
        "jupyterlab": True,
        "jupyter_server_terminals": True,
        "jupyter_server_fileid": kind == "team",
        "jupyter_server_ydoc": kind == "team",
        "nbgrader.server_extensions.formgrader": grading,
        "nbgrader.server_extensions.validate_assignment": grading,
        "nbgrader.server_extensions.assignment_list": False,
        "nbgrader.server_extensions.course_list": False,
        "jupyter_lsp": False,
        "notebook": False,
        "notebook_shim": False,
    }


def disabled_extensions(kind: str) -> list[str]:
    """Which of Lab's extensions are off: nbgrader's own lists everywhere, all of nbgrader for students."""
    disabled = ["@jupyter-notebook/lab-extension", "@jupyterlab/extensionmanager-extension", LSP, *NEEDS_LSP]
    if kind == "course":
        disabled += [
            f"@jupyter/nbgrader:{part}" for part in ("assignment-list", "course-list", "formgrader", "menu")
        ]
    else:
        disabled += ["@jupyter/nbgrader", *EXPORT_FORMATS]
    if kind == "team":
        # Who may open a team's workspace is the roster's word, not a link's.
        disabled += ["@jupyter/collaboration-extension:shared-link"]
    else:
        disabled += ["@jupyter/collaboration-extension", "@jupyter/docprovider-extension"]
    return disabled


def left_out(kind: str) -> set[str]:
    """Which extensions the browser does not even load: all that is off there anyway.

    Switching one off saves no byte; leaving it out does, and its part of the answer about settings as well.
    """
    teams_only = {"@jupyter/collaboration-extension", "@jupyter/docprovider-extension"}
    return {
        "@jupyter-notebook/lab-extension",
        *(set() if kind == "team" else teams_only),
        *(set() if kind == "course" else {"@jupyter/nbgrader"}),
    }


def setting_overrides(language: str) -> dict[str, dict[str, Any]]:
    """Lab's default settings; a person may still change them, except what `disabled_extensions` locks."""
    return {
        "@jupyterlab/translation-extension:plugin": {
            "locale": "bg_BG" if language.startswith("bg") else "en"
        },
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/docmanager-extension:plugin": {"autosave": True, "autosaveInterval": 30},
    }


def link_browser_parts(below: Path, kind: str) -> Path:
    """Make a folder with links to the extensions that this kind of workspace loads."""
    installed, _ = PARTS["labextensions"]
    folder = below / "labextensions"
    shutil.rmtree(folder, ignore_errors=True)
    for package in [*installed.glob("[!@]*/package.json"), *installed.glob("@*/*/package.json")]:
        name = package.parent.relative_to(installed).as_posix()
        if name not in left_out(kind):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(package.parent.resolve(), target_is_directory=True)
    return folder


def link_schemas(below: Path) -> Path:
    """Make a folder with links to the descriptions of settings that Lab itself uses.

    Notebook 7's lie in the same place, and the browser asks for all of them at each start.
    """
    folder = below / "schemas"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "@jupyterlab"
    link.unlink(missing_ok=True)
    link.symlink_to(DATA_DIR / "lab" / "schemas" / "@jupyterlab", target_is_directory=True)
    return folder


def _write_templates() -> Path:
    """Put our frame around Lab's own page, which names its files by their hashes and is taken as it is."""
    folder = _own_folder() / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    lab, _ = PARTS["lab"]
    shutil.copyfile(lab / "index.html", folder / "stock.html")
    shutil.copyfile(Path(__file__).parent / "templates" / "index.html", folder / "index.html")
    return folder


def _own_folder() -> Path:
    return Path(jupyter_runtime_dir()) / "atelier-lab"


def _write_app_settings(kind: str, language: str) -> Path:
    folder = _own_folder() / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    disabled = disabled_extensions(kind)
    page_config = {"disabledExtensions": disabled, "lockedExtensions": dict.fromkeys(disabled, True)}
    (folder / "page_config.json").write_text(json.dumps(page_config), encoding="utf-8")
    (folder / "overrides.json").write_text(json.dumps(setting_overrides(language)), encoding="utf-8")
    return folder
