"""From what a clock on the wall shows to an instant.

Deadlines are typed in local time. Twice a year clocks jump: a time that never comes, or that comes twice, is
not guessed at; the person who typed it is told.
"""

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from atelier.projects.errors import AmbiguousTime, NonexistentTime, ProjectError
from atelier.texts import N_

_FIRST_YEAR, _LAST_YEAR = 2000, 2200


def make_instant(local: dt.datetime, zone: str, fold: int | None = None) -> dt.datetime:
    """Return the UTC instant at which clocks in the IANA `zone` show the naive `local` time.

    Raises NonexistentTime when they never show it, AmbiguousTime when they show it twice and `fold` (0: the
    first time, 1: the second) is not given, ProjectError for an unknown zone or a year outside 2000-2200.
    """
    if local.tzinfo is not None:
        raise ValueError(f"a local time carries no zone: {local!r}")
    tz = _find_zone(zone)
    check_year(local.year)
    instants = _list_instants(local, tz)
    if not instants:
        raise NonexistentTime(
            "nonexistent_time",
            N_("%(local)s does not exist in %(zone)s: clocks skip it. Choose an hour earlier or later."),
            local=_show(local),
            zone=zone,
        )
    if len(instants) > 1 and fold is None:
        raise AmbiguousTime(
            "ambiguous_time",
            N_("%(local)s comes twice in %(zone)s: clocks go back. Choose the first or the second."),
            local=_show(local),
            zone=zone,
        )
    return instants[min(fold or 0, len(instants) - 1)]


def check_year(year: int) -> None:
    """Raise ProjectError for a year outside 2000-2200: at the calendar's ends no zone can show an instant."""
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ProjectError(
            "year_out_of_range",
            N_("The year %(year)d is not possible for a deadline. Choose another date."),
            year=year,
        )


def _list_instants(local: dt.datetime, tz: ZoneInfo) -> list[dt.datetime]:
    """All instants (none, one or two; in order) at which clocks of `tz` show `local`."""
    found = {local.replace(tzinfo=tz, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(
        instant for instant in found if instant.astimezone(tz).replace(tzinfo=None, fold=0) == local
    )


def _find_zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ProjectError(
            "unknown_zone", N_("There is no time zone %(zone)s. Use a name such as Europe/Sofia."), zone=zone
        ) from error


def _show(local: dt.datetime) -> str:
    return local.strftime("%d.%m.%Y %H:%M")
