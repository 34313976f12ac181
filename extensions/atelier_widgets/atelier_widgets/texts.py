"""What the widgets say, in the workspace's language (``ATELIER_LANGUAGE``).

A dozen short labels: a table that a teacher can read beats a catalog here.
"""

import os

TEXTS = {
    "en": {
        "range": "From – to",
        "count": "values",
        "mean": "mean",
        "lowest": "lowest",
        "highest": "highest",
        "change": "change from first to last",
        "no_values": "There are no values in this range. Widen it.",
        "prediction": "My prediction",
        "keep": "Keep my prediction",
        "kept": "Your prediction is kept: {value}. Now look at the data.",
        "not_written": "Your prediction counts for now, but {file} could not be written. Write it down.",
        "not_kept": "Keep your prediction first, then compare it.",
        "compared": "You predicted {value}, measured was {actual}. The difference is {difference}.",
    },
    "bg": {
        "range": "От – до",
        "count": "стойности",
        "mean": "средно",
        "lowest": "най-ниска",
        "highest": "най-висока",
        "change": "промяна от първата до последната",
        "no_values": "В този интервал няма стойности. Разширете го.",
        "prediction": "Моята прогноза",
        "keep": "Запази прогнозата ми",
        "kept": "Прогнозата е запазена: {value}. Сега вижте данните.",
        "not_written": "Прогнозата важи засега, но {file} не можа да се запише. Запишете си я.",
        "not_kept": "Първо запазете прогнозата си, после я сравнете.",
        "compared": "Прогнозирахте {value}, измерено е {actual}. Разликата е {difference}.",
    },
}


def find_language(language: str | None = None) -> str:
    """Return 'bg' or 'en': `language` if given, else the workspace's, else English."""
    wanted = language or os.environ.get("ATELIER_LANGUAGE", "")
    short = wanted.replace("_", "-").partition("-")[0].lower()
    return short if short in TEXTS else "en"


def show_number(value: float, language: str, unit: str = "") -> str:
    """Return a number as people write it: up to two decimals, a real minus, a comma in Bulgarian."""
    text = f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "\u2212")
    text = "0" if text == "\u22120" else text
    if language == "bg":
        text = text.replace(".", ",")
    return f"{text}\u00a0{unit}" if unit else text
