"""How pages show instants, points, sizes and names."""

import datetime as dt
import re
import unicodedata
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from jinja2 import Environment

# Characters that turn the direction of the text around them, join or hide it: in a name they only forge.
_FORGING = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def show_name(text: str | None) -> str:
    """Return a name from a roster, a file or a student fit to be shown: one line, nothing that forges."""
    visible = _FORGING.sub("", text or "")
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in visible).strip()


def show_instant(instant: dt.datetime, zone: str, now: dt.datetime, language: str) -> str:
    """Return e.g. ``Mon 23 Nov, 14:30``, on the clock of `zone` (IANA); with the year if it is another."""
    tz = ZoneInfo(zone)
    same_year = instant.astimezone(tz).year == now.astimezone(tz).year
    pattern = "EEE d MMM, HH:mm" if same_year else "EEE d MMM y, HH:mm"
    return format_datetime(instant, pattern, tzinfo=tz, locale=language)


def show_time(instant: dt.datetime, zone: str, language: str) -> str:
    """Return e.g. ``14:30``, on the clock of `zone` (IANA)."""
    return format_datetime(instant, "HH:mm", tzinfo=ZoneInfo(zone), locale=language)


def show_day(day: dt.date, language: str) -> str:
    """Return a local day, e.g. ``23 November 2026``."""
    return format_date(day, "d MMMM y", locale=language)


def show_distance(instant: dt.datetime, now: dt.datetime, language: str) -> str:
    """Return e.g. ``in 2 days`` or ``3 hours ago``."""
    return format_timedelta(instant - now, add_direction=True, locale=language)


def show_points(points: Decimal | float | int | None, language: str) -> str:
    """Return points without needless zeros, with the language's decimal sign."""
    return "" if points is None else format_decimal(points, format="0.##", locale=language)


def show_size(size: int, language: str) -> str:
    """Return bytes as kB or MB."""
    if size < 1_000_000:
        return f"{format_decimal(max(size / 1000, 0.1), format='0.#', locale=language)} kB"
    return f"{format_decimal(size / 1_000_000, format='0.#', locale=language)} MB"


def set_filters(environment: Environment, language: str) -> None:
    """Give the templates of one language their filters."""
    environment.filters["name"] = show_name
    environment.filters["at"] = lambda instant, zone, now: show_instant(instant, zone, now, language)
    environment.filters["time"] = lambda instant, zone: show_time(instant, zone, language)
    environment.filters["day"] = lambda day: show_day(day, language)
    environment.filters["distance"] = lambda instant, now: show_distance(instant, now, language)
    environment.filters["points"] = lambda points: show_points(points, language)
    environment.filters["size"] = lambda size: show_size(size, language)
