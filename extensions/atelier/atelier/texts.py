"""Texts in the reader's language: gettext domain ``atelier``, English is the msgid.

``_ = translate("bg")`` gives a callable: ``_("Sign out")``; counted texts are ``_.ngettext("%(num)d file",
"%(num)d files", n)``. A text that is chosen now and shown later is marked with `N_`.

The catalogs are read from their ``.po`` files once per process: what a translator edits is what runs, and no
compiled copy can be older than its source.
"""

import functools
import gettext
import io
from collections.abc import Mapping
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DOMAIN = "atelier"
LANGUAGES: Mapping[str, str] = {"bg": "Български", "en": "English"}
SOURCE_LANGUAGE = "en"

_LOCALE_DIR = Path(__file__).parent / "locale"


class Texts:
    """The texts of one language. Calling it translates a message; an unknown one comes back as it is."""

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self.translations = translations

    def __call__(self, message: str) -> str:
        return self.translations.gettext(message) if message else ""

    def ngettext(self, singular: str, plural: str, num: int) -> str:
        """Return the form for `num` with ``%(num)d`` filled in."""
        return self.translations.ngettext(singular, plural, num) % {"num": num}

    def pgettext(self, context: str, message: str) -> str:
        """Return `message` as it is said in `context`."""
        return self.translations.pgettext(context, message)


def N_(message: str) -> str:
    """Mark `message` for extraction; translate it where the reader's language is known."""
    return message


def known_language(language: str | None) -> str:
    """Return the catalog that serves `language` ('bg', 'bg-BG', 'bg_BG', None …): 'bg' or 'en'."""
    short = (language or "").replace("_", "-").partition("-")[0].lower()
    return short if short in LANGUAGES else SOURCE_LANGUAGE


def choose_language(accept_language: str, default: str) -> str:
    """Return the first language of an ``Accept-Language`` header that we have, else `default`.

    Browsers send their choices in order (RFC 9110, 12.5.4), so weights are not compared.
    """
    for choice in accept_language.split(","):
        short = choice.partition(";")[0].strip().replace("_", "-").partition("-")[0].lower()
        if short in LANGUAGES:
            return short
    return known_language(default)


def translate(language: str | None) -> Texts:
    """Return the texts of `language`; anything we have no catalog for is read in English."""
    return _load_texts(known_language(language))


def catalog_path(language: str) -> Path:
    """Return where the catalog of `language` lies."""
    return _LOCALE_DIR / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@functools.cache
def _load_texts(language: str) -> Texts:
    if language == SOURCE_LANGUAGE:
        return Texts(language, gettext.NullTranslations())
    with catalog_path(language).open("rb") as source:
        catalog = read_po(source, locale=language, domain=DOMAIN)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Texts(language, gettext.GNUTranslations(compiled))
