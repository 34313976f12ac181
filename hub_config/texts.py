"""The hub's own texts in Bulgarian and English (gettext domain ``hub``; English is the msgid).

The catalog is read from its .po file once per process, so there is no compiled copy that could be stale.
"""

import functools
import gettext
import io
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Final = ("bg", "en")


def N_(message: str) -> str:
    """Mark `message` for translation where it is shown, not where it is written."""
    return message


@functools.cache
def load_texts(language: str) -> gettext.NullTranslations:
    """Return the catalog of `language`; English is the source language and needs none."""
    if language == "en":
        return gettext.NullTranslations()
    source = Path(__file__).parent / "locale" / language / "LC_MESSAGES" / "hub.po"
    with source.open("rb") as po_file:
        catalog = read_po(po_file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def find_language(accept_language: str | None, default: str = "bg") -> str:
    """Return our best language for an ``Accept-Language`` header (RFC 9110, 12.5.4), else `default`."""
    weighed: list[tuple[float, int, str]] = []
    for position, part in enumerate((accept_language or "")[:500].split(",")):
        name, _, parameters = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        quality = _read_quality(parameters)
        if language in LANGUAGES and quality > 0:
            weighed.append((-quality, position, language))
    return min(weighed)[2] if weighed else default


def _read_quality(parameters: str) -> float:
    key, _, value = parameters.strip().partition("=")
    if not key:
        return 1.0
    try:
        return float(value) if key.strip() == "q" else 1.0
    except ValueError:
        return 0.0
