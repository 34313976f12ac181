"""A course's slug, made from its title: what students see as a folder name.

Bulgarian letters follow the law on transliteration (Закон за транслитерацията, ДВ бр. 19/2009, чл. 3-6), so
that София becomes *sofia*. The one library found that knows Bulgarian (cyrtranslit 1.2) gives ă for ъ and j
for ь. Letters of other scripts fall back to Unicode's own decomposition; what has none is left out.
"""

import re
import unicodedata

SLUG_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_SLUG_LENGTH = 30

_LETTERS = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z",
        "и": "i", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
        "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "h", "ц": "ts", "ч": "ch",
        "ш": "sh", "щ": "sht", "ъ": "a", "ь": "y", "ю": "yu", "я": "ya",
        "ѝ": "i", "ы": "y", "э": "e", "ё": "yo", "№": "no",
    }
)  # fmt: skip
_FINAL_IA = re.compile(r"ия\b")  # article 5: "-ия" at the end of a word is "-ia"


def make_slug(title: str) -> str:
    """Return an ASCII slug ``[a-z0-9-]`` of at most 30 characters; ``course`` when nothing of the title is
    left.
    """
    text = _FINAL_IA.sub("ia", unicodedata.normalize("NFC", title).lower())
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    words = re.findall(r"[a-z0-9]+", "".join(c for c in text if not unicodedata.combining(c)))
    slug = "-".join(words)[:MAX_SLUG_LENGTH].strip("-")
    return slug or "course"


def number_slug(slug: str, number: int) -> str:
    """Return `slug` with ``-number`` at its end, still at most 30 characters."""
    tail = f"-{number}"
    return slug[: MAX_SLUG_LENGTH - len(tail)].rstrip("-") + tail
