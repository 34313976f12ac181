"""Every text of the plug-ins exists in Bulgarian, with the same placeholders."""

import ast
import string
from pathlib import Path

import atelier_nbgrader
import pytest
from atelier_nbgrader import language
from atelier_nbgrader.receipts import describe_receipt
from babel.messages.pofile import read_po

ROOM = Path(atelier_nbgrader.__file__).parent


def list_texts() -> set[str]:
    """What the source code passes to `_`."""
    found = set()
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                found.add(ast.literal_eval(node.args[0]))
    return found


def list_placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_has_a_translation_with_the_same_placeholders() -> None:
    with (language.LOCALE_DIR / "bg" / "LC_MESSAGES" / "atelier_nbgrader.po").open("rb") as file:
        catalogue = {message.id: message.string for message in read_po(file, locale="bg") if message.id}
    assert set(catalogue) == list_texts()
    for text, translated in catalogue.items():
        assert list_placeholders(text) == list_placeholders(translated), text


def test_receipt_is_told_in_the_workspaces_language_and_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_LANGUAGE", "bg")
    monkeypatch.setenv("ATELIER_ZONE", "Europe/Sofia")
    receipt = {"id": "r1", "course": "geo-8a", "assignment": "hw1", "sha256": "ab", "late": False}
    said = describe_receipt({**receipt, "received_at": "2026-07-09T08:00:00Z"})
    assert said.startswith("Предадено: geo-8a/hw1 в 09.07.2026 11:00:00")
    monkeypatch.setenv("ATELIER_LANGUAGE", "en")
    assert describe_receipt({**receipt, "received_at": "2026-07-09T08:00:00Z"}).startswith("Submitted")
