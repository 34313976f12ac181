"""Bulgarian texts address everybody as „вие“ (docs/decisions/bulgarian-says-vie.md)."""

import io
import itertools
import json
import re
from pathlib import Path

import pytest
from atelier_widgets.texts import TEXTS
from babel.messages.pofile import read_po

REPOSITORY = Path(__file__).resolve().parents[2]
EXTENSIONS = REPOSITORY / "extensions"
CATALOGS = [
    REPOSITORY / "hub_config/locale/bg/LC_MESSAGES/hub.po",
    EXTENSIONS / "atelier/atelier/locale/bg/LC_MESSAGES/atelier.po",
    EXTENSIONS / "atelier_nbgrader/atelier_nbgrader/locale/bg/LC_MESSAGES/atelier_nbgrader.po",
]
LAB_CATALOGS = sorted((EXTENSIONS / "atelier_lab/atelier_lab/language_bg").glob("*.json"))
PROSE = [REPOSITORY / f"docs/{who}-guide-bg.md" for who in ("student", "teacher")]
PROSE += [REPOSITORY / "front/pages/away-bg.html"]
OF_ONE = re.compile(
    r"\b(ти|теб|тебе|(?<=да )те|твой|твоя|твоят|твоята|твое|твоето|твои|твоите"
    r"|(?!наш\b|ваш\b|клавиш\b)\w+[аяеи]ш)\b",
    re.IGNORECASE,
)
# Where a clause begins a verb without a person is a request: „опитай отново“. Elsewhere the same letters
# may be „Страницата ще го отвори“.
CLAUSE = re.compile(r"(?:^|[.,:;?!]\s+|\b(?:и|или|после|а)\s+)(\w+)")
# Regular: said to many, the ending becomes that for one. These are not.
MORE_REQUESTS = {"виж", "влез", "излез", "ела", "дръж", "яж"}


def read_texts(path: Path) -> list[str]:
    """Return the Bulgarian texts of a file, one for each message."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".po":
        forms = [message.string for message in read_po(io.StringIO(text)) if message.id]
        return [one for form in forms for one in ([form] if isinstance(form, str) else form)]
    if path.suffix == ".json":
        return [form for message, forms in json.loads(text).items() if message for form in forms]
    if path.suffix == ".mjs":
        return re.findall(r'"([^"\n]*[а-я][^"\n]*)"', text)
    without_labels = re.sub(r"(?<!\*)\*[^*\n]+\*(?!\*)", "…", text)
    return [part for part in re.split(r"\n\s*\n|\||\n\* |<[^>]+>", without_labels) if part.strip()]


def list_all() -> dict[str, list[str]]:
    files = [*CATALOGS, *LAB_CATALOGS, *PROSE, REPOSITORY / "demo/provider/pages.mjs"]
    return {path.name: read_texts(path) for path in files} | {"widgets": list(TEXTS["bg"].values())}


ALL = list_all()


def find_requests_to_one() -> set[str]:
    """Every request to many that a text has, as it would be said to one: „опитайте“ gives „опитай“."""
    found = set(MORE_REQUESTS)
    for word in re.findall(r"\w+те\b", "\n".join(itertools.chain(*ALL.values())).lower()):
        if word.endswith("йте"):
            found.add(word[:-2])
        elif word.endswith("ете"):
            found.add(word[:-3] + "и")
    return found


REQUESTS_TO_ONE = find_requests_to_one()


def list_said_to_one(text: str, label_may_command: bool = False) -> list[str]:
    """Return the words of `text` that address one person.

    `label_may_command`: what has no full stop is a button or a menu of Lab, with which a person tells the
    program what to do („Запиши“).
    """
    found = [match[0] for match in OF_ONE.finditer(text)]
    if not (label_may_command and not re.search(r"[.?!]$", text.strip())):
        found += [match[1] for match in CLAUSE.finditer(text) if match[1].lower() in REQUESTS_TO_ONE]
    return found


@pytest.mark.parametrize("name", ALL)
def test_nobody_is_addressed_as_one(name: str) -> None:
    in_lab = name.endswith(".json") or name == "widgets"
    assert ALL[name], "no texts were read"
    found = {text: words for text in ALL[name] if (words := list_said_to_one(text, in_lab))}
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "Работата ти е запазена.",
        "Опитай отново.",
        "Изчакайте минута и опитай отново.",
        "Ако пак не стане, попитай учителя си.",
        "Не можете да влезете, можеш да излезете.",
        "Избери профил",
        "Влез отначало",
    ],
)
def test_a_text_to_one_person_is_seen(text: str) -> None:
    assert list_said_to_one(text)


@pytest.mark.parametrize(
    "text", ["Работата ви е запазена.", "Страницата ще го отвори сама.", "Ваш и наш.", "Отваряне"]
)
def test_a_text_to_all_or_about_the_program_passes(text: str) -> None:
    assert list_said_to_one(text) == []


def test_a_command_to_lab_passes_only_as_a_label() -> None:
    assert list_said_to_one("Отвори", label_may_command=True) == []
    assert list_said_to_one("Отвори файла отново.", label_may_command=True) == ["Отвори"]
