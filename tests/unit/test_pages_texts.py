"""Claims about the texts: all marked, all translated, and no bare text in a template."""

import ast
import re
import string
from io import BytesIO
from pathlib import Path

import atelier
import pytest
from atelier.texts import N_, catalog_path, choose_language, known_language, translate
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PACKAGE = Path(atelier.__file__).parent
TEMPLATES = PACKAGE / "pages" / "templates"
METHODS = [("pages/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"pages/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}


def read_catalog() -> Catalog:
    return read_po(BytesIO(catalog_path("bg").read_bytes()), locale="bg")


def extract_messages() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(PACKAGE, METHODS, OPTIONS, keywords=KEYWORDS)  # type: ignore[arg-type]
    return {message for _file, _line, message, _comments, _context in found}


def test_every_message_of_the_service_is_in_the_catalog() -> None:
    messages = extract_messages()
    assert len(messages) > 150, "nothing was extracted: this test proves nothing"
    catalog = read_catalog()
    missing = [m for m in messages if m not in catalog]
    assert not missing, (
        "add to locale/bg (docs/decisions/texts-are-read-from-their-catalog.md says how): " + repr(missing)
    )


def test_every_message_is_translated_in_all_its_forms() -> None:
    for message in read_catalog():
        if message.id:
            forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
            assert all(forms), f"not translated: {message.id}"
            assert not message.fuzzy, f"not sure: {message.id}"


def test_the_catalog_holds_nothing_that_nobody_says() -> None:
    messages = {m[0] if isinstance(m, tuple) else m for m in extract_messages()}
    stale = [
        message.id
        for message in read_catalog()
        if message.id and (message.id[0] if isinstance(message.id, tuple) else message.id) not in messages
    ]
    assert not stale


def test_translations_keep_the_placeholders() -> None:
    pattern = re.compile(r"%\((\w+)\)[sd]")
    for message in read_catalog():
        ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
        forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
        for form in forms:
            assert set(pattern.findall(form)) == set(pattern.findall(ids[-1])), message.id


def test_translations_are_bulgarian() -> None:
    for message in read_catalog():
        forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
        text = re.sub(r"%\(\w+\)[sd]", "", "".join(forms))
        if message.id and any(c in string.ascii_letters for c in text):
            assert re.search("[а-яА-Я]", text), message.id


def strip_marked(source: str) -> str:
    """The template without comments, marked texts, expressions, statements and tags' names."""
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.S)
    source = re.sub(r"\{%-?\s*trans\b.*?endtrans\s*-?%\}", "", source, flags=re.S)
    source = re.sub(r"\{\{.*?\}\}", "", source, flags=re.S)
    return re.sub(r"\{%.*?%\}", "", source, flags=re.S)


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_bare_text(path: Path) -> None:
    source = strip_marked(path.read_text(encoding="utf-8"))
    shown = re.sub(r"<[^>]*>", " ", source)
    shown = re.sub(r'[\w-]+="[^"]*"|data-once', " ", shown)  # attributes that a macro makes
    words = [word for word in re.findall(r"[^\W\d_]{2,}", shown) if word not in ("nbsp",)]
    assert not words, f"bare text: {words}"
    spoken = re.findall(r'(?:placeholder|title|alt|aria-label)="([^"]*[^\W\d_][^"]*)"', source)
    assert not spoken, f"bare text in attributes: {spoken}"


def test_messages_in_code_are_marked_where_they_are_written() -> None:
    """A Stopped(...) with a bare text would reach a Bulgarian teacher in English."""
    for path in (PACKAGE / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Stopped", "Problem"):
                bare = [a for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                assert not bare, f"{path.name}:{node.lineno}"


def test_an_unknown_language_is_read_in_english() -> None:
    assert translate("de")("Sign out") == "Sign out"
    assert translate(None)("Sign out") == "Sign out"
    for tag in ("bg", "bg-BG", "bg_BG", "BG"):
        assert known_language(tag) == "bg"
        assert translate(tag)("Sign out") == "Изход"


@pytest.mark.parametrize(
    ("header", "default", "chosen"),
    [
        ("", "bg", "bg"),
        ("de-DE,de;q=0.9,bg;q=0.5,en;q=0.3", "en", "bg"),
        ("en-GB,en;q=0.9", "bg", "en"),
        ("de", "bg", "bg"),
        (", ;q=1", "bg", "bg"),
        ("*", "en", "en"),
    ],
)
def test_the_browsers_first_language_that_we_have_is_spoken(header: str, default: str, chosen: str) -> None:
    assert choose_language(header, default) == chosen


def test_counted_texts_take_the_right_form() -> None:
    bg = translate("bg")
    assert (
        bg.ngettext("%(num)d problem; nothing was changed.", "%(num)d problems; nothing was changed.", 1)[:9]
        == ("1 проблем"[:9])
    )
    assert "проблема" in bg.ngettext(
        "%(num)d problem; nothing was changed.", "%(num)d problems; nothing was changed.", 5
    )
    assert bg("") == "", "an empty text must not become the catalog's header"
    assert N_("Sign out") == "Sign out"
