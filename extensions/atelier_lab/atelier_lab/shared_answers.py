"""Answers of Lab's server that are the same for many accounts: the settings as they come, the menus' words.

Lab asks for both at each start, 30 kB when compressed, and lets no browser keep them. The front server offers
them once, named by the hash of their content, and a workspace says which it would give and what its own
people have changed. A script in Lab's page (`templates/index.html`) puts both together; when anything about
that fails, it asks the workspace as Lab would.
"""

import functools
import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from jupyterlab_server.settings_utils import SETTINGS_EXTENSION, SchemaHandler, get_settings
from jupyterlab_server.translation_utils import get_language_pack, translator
from tornado import web

KINDS = ("personal", "team", "course")
LANGUAGES = ("bg", "en")
LOCALES = ("bg_BG", "en")
TRANSLATED = "bg_BG"
# A folder that cannot exist: nobody has changed anything there. (An empty name would be the home.)
NOBODYS_SETTINGS = os.path.join(os.devnull, "settings")  # noqa: PTH118


def find_answer_name(answer: bytes) -> str:
    """Return the file name of a shared answer."""
    return f"{hashlib.sha256(answer).hexdigest()[:32]}.json"


@functools.cache
def make_translations() -> bytes:
    """Return Lab's answer about the menus' words in Bulgarian."""
    words, message = get_language_pack(TRANSLATED)
    return json.dumps({"data": words, "message": message}).encode()


def load_settings(
    schemas_dir: str, labextensions_path: list[str], overrides: Any, locale: str, settings_dir: str
) -> dict[str, Any]:
    """Return all settings by id as Lab's server describes them, in one language."""
    translator.set_locale(locale)
    found, _ = get_settings(
        "",
        schemas_dir,
        settings_dir,
        labextensions_path=labextensions_path,
        overrides=overrides,
        translator=translator.translate_schema,
    )
    return {setting["id"]: setting for setting in found["settings"]}


def has_own_settings(settings_dir: str) -> bool:
    """Tell whether somebody has changed a setting here, ever."""
    return any(Path(settings_dir).rglob(f"*{SETTINGS_EXTENSION}"))


def pack_settings(settings: dict[str, Any]) -> bytes:
    """Return settings as the shared answer holds them."""
    return json.dumps({"settings": list(settings.values())}).encode()


def list_shared_answers(folder: Path) -> Iterator[bytes]:
    """Yield every answer worth sharing, for all kinds and languages. `folder`: an empty one to work in."""
    from atelier_lab.lab_config import link_browser_parts, link_schemas, setting_overrides

    yield make_translations()
    schemas = str(link_schemas(folder))
    for kind in KINDS:
        extensions = [str(link_browser_parts(folder, kind))]
        for language, locale in itertools.product(LANGUAGES, LOCALES):
            overrides = setting_overrides(language)
            yield pack_settings(load_settings(schemas, extensions, overrides, locale, NOBODYS_SETTINGS))


class ChangedSettingsHandler(SchemaHandler):
    """``{"shared": file name, "changed": {id: setting}}``: how this workspace differs from one."""

    auth_resource = "contents"
    _plain: dict[str, tuple[str, dict[str, Any]]] = {}  # noqa: RUF012  one server, one configuration

    @web.authenticated
    @authorized
    def get(self) -> None:
        locale = self.get_current_locale()
        name, plain = self._find_plain(locale)
        now = self._load(locale, self.settings_dir) if has_own_settings(self.settings_dir) else plain
        changed = {key: setting for key, setting in now.items() if setting != plain.get(key)}
        self.finish(json.dumps({"shared": name, "changed": changed}))

    def _find_plain(self, locale: str) -> tuple[str, dict[str, Any]]:
        if locale not in self._plain:
            settings = self._load(locale, NOBODYS_SETTINGS)
            self._plain[locale] = find_answer_name(pack_settings(settings)), settings
        return self._plain[locale]

    def _load(self, locale: str, settings_dir: str) -> dict[str, Any]:
        return load_settings(
            self.schemas_dir, self.labextensions_path or [], self.overrides, locale, settings_dir
        )


def add_settings_route(server_app: Any) -> None:
    """Answer ``<base>atelier/settings`` from the same folders as Lab's own ``lab/api/settings``."""
    (lab,) = server_app.extension_manager.extension_apps["jupyterlab"]
    folders = {
        "app_settings_dir": lab.app_settings_dir,
        "schemas_dir": lab.schemas_dir,
        "settings_dir": lab.user_settings_dir,
        "labextensions_path": lab.extra_labextensions_path + lab.labextensions_path,
    }
    address = url_path_join(server_app.web_app.settings["base_url"], "atelier", "settings")
    server_app.web_app.add_handlers(".*$", [(address, ChangedSettingsHandler, folders)])
