"""The workspace's language: Bulgarian or English, from `ATELIER_LANGUAGE`. English is the message id."""

import functools
import gettext
import io
import os
from pathlib import Path

LOCALE_DIR = Path(__file__).with_name("locale")


def translate(message: str) -> str:
    """The message in the workspace's language; the English one where no translation exists."""
    return _load(os.environ.get("ATELIER_LANGUAGE", "en")[:2]).gettext(message)


@functools.cache
def _load(language: str) -> gettext.NullTranslations:
    catalogue = LOCALE_DIR / language / "LC_MESSAGES" / "atelier_nbgrader.po"
    if language not in ("bg",) or not catalogue.is_file():
        return gettext.NullTranslations()
    # Compiled here, once per process: no binary file in the repository that can be older than its source.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with catalogue.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
