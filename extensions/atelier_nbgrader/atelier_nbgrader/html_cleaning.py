"""Makes HTML that a student's notebook produced safe to show in a teacher's or another student's page.

What stays: text, tables, lists, links to other sites, pictures that are inside the page. What goes:
everything that runs, loads, sends, moves or imitates the page around it.
"""

import re
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from bs4 import BeautifulSoup

TEXT_TAGS = "a abbr b blockquote br caption cite code dd del details dfn div dl dt em figcaption figure"
MORE_TAGS = (
    "h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup u ul var"
)
TABLE_TAGS = "col colgroup table tbody td tfoot th thead tr"
TAGS = frozenset(f"{TEXT_TAGS} {MORE_TAGS} {TABLE_TAGS}".split())
# Removed with everything inside: their text is not meant to be read.
REMOVED_WHOLE = [
    "script",
    "style",
    "svg",
    "math",
    "iframe",
    "frame",
    "frameset",
    "object",
    "embed",
    "applet",
    "template",
    "noscript",
    "link",
    "meta",
    "base",
    "form",
    "textarea",
    "select",
    "button",
    "title",
    "xmp",
    "noembed",
    "noframes",
    "plaintext",
]
PLAIN_ATTRIBUTES = frozenset(
    {"colspan", "rowspan", "alt", "title", "border", "span", "align", "valign", "open"}
)
SIZES = frozenset({"width", "height"})
# Formgrader's own script acts on class names: only those without a meaning there stay.
CLASSES = frozenset({"dataframe", "highlight", "table", "table-striped"})
CSS_PROPERTIES = [
    "color",
    "background-color",
    "text-align",
    "font-weight",
    "font-style",
    "font-size",
    "text-decoration",
    "vertical-align",
    "border",
    "border-collapse",
    "padding",
    "margin",
    "width",
    "height",
    "max-width",
    "white-space",
]
MAX_HTML_CHARACTERS = 2_000_000
# The parsers take quadratic time for elements inside elements: 20,000 of them stop a whole class's grading.
MAX_DEPTH = 150

_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_LINK = re.compile(r"(https?://|mailto:)[^\s]+", re.IGNORECASE)
_TAG_START = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*|!--)|-->")
_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
_SIZE = re.compile(r"\d{1,4}(\.\d+)?(px|%|em)?")
_UNSAFE_CSS = re.compile(r"url|expression|@import|image|\\", re.IGNORECASE)


def clean_html(html: str) -> str:
    """HTML that neither runs nor loads anything. Too long or too deep HTML is not shown at all."""
    if len(html) > MAX_HTML_CHARACTERS or _is_too_deep(html):
        return "<p>[…]</p>"
    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(REMOVED_WHOLE):
        element.decompose()
    return str(
        bleach.clean(
            str(soup),
            tags=TAGS,
            attributes=_is_allowed,
            protocols={"http", "https", "mailto", "data"},
            strip=True,
            strip_comments=True,
            css_sanitizer=CSSSanitizer(allowed_css_properties=CSS_PROPERTIES),
        )
    )


def _is_too_deep(html: str) -> bool:
    """Whether more than MAX_DEPTH elements stay open at once, as far as their tags tell. One pass."""
    depth = 0
    for found in _TAG_START.finditer(html):
        name = (found["name"] or "").lower()
        if name in _VOID:
            continue
        depth = max(0, depth - 1) if found["end"] or not name else depth + 1
        if depth > MAX_DEPTH:
            return True
    return False


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return _PICTURE.fullmatch(value) is not None
    if tag == "a" and name == "href":
        return _LINK.fullmatch(value) is not None
    if name == "class":
        return set(value.split()) <= CLASSES
    if name == "style":
        return _UNSAFE_CSS.search(value) is None
    if name in SIZES:
        return _SIZE.fullmatch(value) is not None
    return name in PLAIN_ATTRIBUTES


def is_base64(value: Any) -> bool:
    """Whether a value can stand inside a data: address."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9+/=\s]*", value) is not None
