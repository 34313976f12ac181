"""What Lab asks its server at each start, shared between accounts: names agree, differences are told."""

import json
from pathlib import Path

import pytest
from atelier_lab.lab_config import configure
from atelier_lab.shared_answers import (
    NOBODYS_SETTINGS,
    find_answer_name,
    list_shared_answers,
    load_settings,
    make_translations,
    pack_settings,
)
from traitlets.config import Config

THEMES = "@jupyterlab/apputils-extension:themes"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    answers = list_shared_answers(tmp_path_factory.mktemp("answers"))
    return {find_answer_name(answer): answer for answer in answers}


@pytest.mark.parametrize("kind", ["personal", "team", "course"])
@pytest.mark.parametrize("language", ["bg", "en"])
def test_a_workspace_names_an_answer_that_was_published(
    published: dict[str, bytes], kind: str, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    c = Config()
    configure(c, {"ATELIER_KIND": kind, "ATELIER_LANGUAGE": language})
    overrides = json.loads((Path(c.LabApp.app_settings_dir) / "overrides.json").read_text())
    locale = overrides["@jupyterlab/translation-extension:plugin"]["locale"]
    settings = load_settings(
        c.LabApp.schemas_dir, c.LabApp.labextensions_path, overrides, locale, NOBODYS_SETTINGS
    )
    assert find_answer_name(pack_settings(settings)) in published
    assert not any(name.startswith("@jupyter-notebook/") for name in settings)


def test_the_menus_words_are_published_as_lab_would_answer(published: dict[str, bytes]) -> None:
    answer = json.loads(published[find_answer_name(make_translations())])
    assert answer["message"] == ""
    assert "jupyterlab" in answer["data"]


def test_nothing_in_a_home_becomes_part_of_a_shared_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = next(iter(_list_settings(tmp_path / "before")))
    home = tmp_path / "home"
    stray = home / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    stray.parent.mkdir(parents=True)
    stray.write_text('{"theme": "JupyterLab Dark"}')
    monkeypatch.chdir(home)
    assert next(iter(_list_settings(tmp_path / "after"))) == before


def test_what_somebody_changed_differs_from_the_shared_answer(tmp_path: Path) -> None:
    changed = tmp_path / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    changed.parent.mkdir(parents=True)
    changed.write_text('{"theme": "JupyterLab Dark"}')
    plain, own = (_load(tmp_path, folder) for folder in (NOBODYS_SETTINGS, str(tmp_path / "settings")))
    assert {name for name in own if own[name] != plain[name]} == {THEMES}
    assert own[THEMES]["settings"] == {"theme": "JupyterLab Dark"}


def _load(tmp_path: Path, settings_dir: str) -> dict[str, dict[str, object]]:
    from atelier_lab.lab_config import link_schemas, setting_overrides

    return load_settings(str(link_schemas(tmp_path)), [], setting_overrides("en"), "en", settings_dir)


def _list_settings(folder: Path) -> list[bytes]:
    folder.mkdir()
    return [answer for answer in list_shared_answers(folder) if b'"settings"' in answer[:20]]
