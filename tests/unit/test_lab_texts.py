"""Every text of the sidebar and its server part exists in Bulgarian, and Lab loads the catalogue."""

import ast
import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from atelier_lab.texts import CATALOGUE, translate

PACKAGE = Path(__file__).parents[2] / "extensions" / "atelier_lab"
_TEXT = r"(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")"
_CALL = re.compile(rf"trans\.(?:__|_n)\(\s*{_TEXT}(?:,\s*{_TEXT})?")
CATALOGUES = ("atelier_lab.json", "jupyterlab.json", "jupyter_collaboration.json")


def _list_sidebar_texts() -> set[str]:
    found = set()
    for source in sorted((PACKAGE / "src").glob("*.ts*")):
        for match in _CALL.finditer(source.read_text(encoding="utf-8")):
            found.add(match[1] or match[2])
    return found


def _list_server_texts() -> set[str]:
    found = set()
    for source in sorted((PACKAGE / "atelier_lab").glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                found.add(ast.literal_eval(node.args[0]))
    return found


def _load(name: str) -> dict[str, list[str]]:
    catalogue: dict[str, list[str]] = json.loads((CATALOGUE.parent / name).read_text(encoding="utf-8"))
    return catalogue


def test_every_text_of_ours_has_a_bulgarian_one_and_none_is_left_over() -> None:
    texts = _list_sidebar_texts() | _list_server_texts()
    assert len(texts) > 40
    assert texts == set(_load("atelier_lab.json")) - {""}


@pytest.mark.parametrize("name", CATALOGUES)
def test_translations_keep_the_placeholders(name: str) -> None:
    wrong = []
    for message, forms in _load(name).items():
        if message:
            wanted = (
                set(re.findall(r"%\d", message)) - {"%1"}
                if len(forms) > 1
                else set(re.findall(r"%\d", message))
            )
            wrong += [message for form in forms if not wanted <= set(re.findall(r"%\d", form))]
    assert wrong == []


@pytest.mark.parametrize("name", CATALOGUES)
def test_header_says_the_language_as_lab_wants_it(name: str) -> None:
    header = json.loads((CATALOGUE.parent / name).read_text(encoding="utf-8"))[""]
    assert (header["language"], header["domain"]) == ("bg-BG", name.removesuffix(".json"))


def test_no_message_stands_twice() -> None:
    for name in CATALOGUES:
        pairs = json.loads((CATALOGUE.parent / name).read_text(encoding="utf-8"), object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys))


def test_lab_finds_the_pack_and_the_names_of_the_main_menus() -> None:
    from jupyterlab_server.translation_utils import TranslationBundle, get_language_pack

    assert [e.value for e in entry_points(group="jupyterlab.languagepack", name="bg_BG")] == [
        "atelier_lab.language_bg"
    ]
    data, problem = get_language_pack("bg_BG")
    assert (set(data), problem) == ({name.removesuffix(".json") for name in CATALOGUES}, "")
    assert TranslationBundle("jupyterlab", "bg_BG").pgettext("menu", "File") == "Файл"


def test_other_languages_read_english() -> None:
    message = "This is not the name of an assignment."
    assert translate("en", message) == message
    assert translate("bg", message) == "Това не е име на задание."
    assert translate("bg", "unheard of") == "unheard of"
