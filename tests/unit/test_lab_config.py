"""Lab's defaults by kind and language of the workspace."""

import json
import re
import subprocess
from pathlib import Path

import jupyterlab
import pytest
from atelier_lab.lab_config import configure, disabled_extensions, server_extensions, setting_overrides
from traitlets.config import Config

from tests.lab_stand_in import StandInService, serve, start_lab

NBGRADER = "nbgrader.server_extensions."


def _configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environ: str) -> Config:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    c = Config()
    configure(c, environ)
    return c


def test_nothing_is_set_outside_atelier(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert _configure(monkeypatch, tmp_path) == Config()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("language", "locale"), [("bg", "bg_BG"), ("en", "en")])
def test_language_and_no_news(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, locale: str
) -> None:
    c = _configure(monkeypatch, tmp_path, ATELIER_KIND="personal", ATELIER_LANGUAGE=language)
    overrides = json.loads((Path(c.LabApp.app_settings_dir) / "overrides.json").read_text())
    assert overrides == setting_overrides(language)
    assert overrides["@jupyterlab/translation-extension:plugin"] == {"locale": locale}
    assert overrides["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


@pytest.mark.parametrize("kind", ["personal", "team"])
def test_students_have_nothing_of_nbgraders_own(kind: str) -> None:
    on = {name for name, enabled in server_extensions(kind).items() if enabled}
    assert not [name for name in on if "nbgrader" in name]
    assert "@jupyter/nbgrader" in disabled_extensions(kind)


def test_teachers_have_formgrader_but_not_the_students_lists() -> None:
    extensions = server_extensions("course")
    assert extensions[NBGRADER + "formgrader"]
    assert not extensions[NBGRADER + "assignment_list"]
    assert "@jupyter/nbgrader" not in disabled_extensions("course")
    assert "@jupyter/nbgrader:assignment-list" in disabled_extensions("course")


@pytest.mark.parametrize(("kind", "live"), [("personal", False), ("team", True), ("course", False)])
def test_only_team_workspaces_edit_live(kind: str, live: bool) -> None:
    assert server_extensions(kind)["jupyter_server_ydoc"] is live
    assert ("@jupyter/docprovider-extension" in disabled_extensions(kind)) is not live


@pytest.mark.parametrize("kind", ["personal", "course"])
def test_running_server_does_what_the_configuration_says(kind: str, tmp_path: Path) -> None:
    with serve(StandInService(kind=kind)) as service, start_lab(tmp_path / kind, service.url, kind) as lab:
        page = lab.read_page()
        assert lab.ask("assignments")[0] == 404  # nbgrader's own list
        assert lab.ask("api/collaboration/session/x", {})[0] == 404
        formgrader = lab.ask("formgrader/api/assignments")[0]
    disabled = page["disabledExtensions"]
    assert (formgrader == 404) is (kind == "personal")
    assert set(disabled_extensions(kind)) <= set(disabled)
    assert set(page["lockedExtensions"]) == set(disabled_extensions(kind))


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
def test_nothing_stays_on_that_needs_the_language_servers_which_are_off(kind: str) -> None:
    installed = Path(jupyterlab.__file__).parent / "static"
    source = "".join(path.read_text(encoding="utf-8") for path in installed.glob("jlab_core.*.js"))
    asking = set(re.findall(r"@jupyterlab/[a-z]+-extension:language-server", source))
    assert asking, "Lab has renamed them: look at the browser's console for 'failed to activate'"
    assert asking <= set(disabled_extensions(kind))


def test_terminal_finds_the_workspaces_own_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    c = _configure(monkeypatch, tmp_path, ATELIER_KIND="course")
    command = c.ServerApp.terminado_settings["shell_command"]
    asked = subprocess.run(
        command,
        input="echo $PATH",
        env={"PATH": "/opt/workspace/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == "/opt/workspace/bin:/usr/bin:/bin"
