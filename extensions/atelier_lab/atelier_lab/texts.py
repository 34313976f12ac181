"""Sentences of the server part in the reader's language; English is the msgid.

The Bulgarian ones lie in `language_bg/atelier_lab.json`, the catalogue that Lab loads for the sidebar too:
one text for both halves.
"""

import functools
import json
from pathlib import Path

CATALOGUE = Path(__file__).parent / "language_bg" / "atelier_lab.json"


def translate(language: str, message: str) -> str:
    """`message` in `language` ('bg' or 'en'); in English where there is no translation."""
    if language != "bg":
        return message
    return _load_catalogue().get(message, [message])[0]


@functools.cache
def _load_catalogue() -> dict[str, list[str]]:
    catalogue: dict[str, list[str]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return catalogue


def N_(message: str) -> str:
    """Mark `message` for translation; it is translated where the reader's language is known."""
    return message
