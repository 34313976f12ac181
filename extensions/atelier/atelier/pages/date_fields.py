"""A form's fields for dates and times on the school's clock: what they show, and what was typed into them."""

import datetime as dt
from zoneinfo import ZoneInfo

from atelier.pages.answers import Stopped
from atelier.texts import N_, translate

_FIELD = "%Y-%m-%dT%H:%M"  # of <input type="datetime-local">
_TURNS = {"first": 0, "second": 1}


def show_in_field(instant: dt.datetime | None, zone: str) -> str:
    """Return what a date-time field shows for an instant, on the clock of `zone`; '' for None."""
    return instant.astimezone(ZoneInfo(zone)).strftime(_FIELD) if instant else ""


def show_local_in_field(local: dt.datetime) -> str:
    """Return what a date-time field shows for a naive local time."""
    return local.strftime(_FIELD)


def check_field_value(text: str) -> str:
    """Return `text` when it is a field's date and time, else '': it comes from the address."""
    try:
        return show_local_in_field(dt.datetime.strptime(text, _FIELD))  # noqa: DTZ007 (a clock's time)
    except ValueError:
        return ""


def read_turn(text: str) -> int | None:
    """Read which of two equal local times is meant (PEP 495's `fold`); None: nothing was chosen."""
    return _TURNS.get(text)


def read_local_time(text: str, language: str) -> dt.datetime | None:
    """Read what a date-time field sends (``2026-11-23T14:30``); None for an empty field. Raises Stopped."""
    if not text.strip():
        return None
    try:
        local = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None:
        message = translate(language)(N_("“%(text)s” is no date and time. Write it like 2026-11-23T14:30."))
        raise Stopped(message % {"text": text[:40]}, status=422)
    return local.replace(second=0, microsecond=0)


def read_day(text: str, language: str) -> dt.date:
    """Read what a date field sends (``2026-11-23``). Raises Stopped."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        message = translate(language)(N_("“%(text)s” is no date. Write it like 2026-11-23."))
        raise Stopped(message % {"text": text[:40]}, status=422) from None
