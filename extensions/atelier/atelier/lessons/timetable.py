"""On which instants a lesson is held: from the school's clock to UTC, over changes of the clock.

A lesson is kept as the wall shows it, so that 08:00 stays 08:00 in summer and winter. The time that a teacher
types is never guessed at (`atelier.projects.make_instant`); a later week's lesson has nobody to ask: where
the clock skips its time it is held as much later as the clock jumped, where the time comes twice the first
counts.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

WEEK = dt.timedelta(days=7)
DAY = dt.timedelta(days=1)
# Web and steward must agree on it, so it is no setting of either. At four starts at a time on two cores, ten
# minutes are enough for some 300 workspaces.
PREPARE_BEFORE = dt.timedelta(minutes=10)
LONGEST = dt.timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One lesson on one day. `ends_at` is earlier than planned when it was removed while it went on."""

    lesson_id: str
    course_id: str
    held_on: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime

    @property
    def prepare_at(self) -> dt.datetime:
        """When its workspaces begin to be started."""
        return self.starts_at - PREPARE_BEFORE

    def goes_on(self, now: dt.datetime) -> bool:
        """Whether its workspaces are wanted at `now`."""
        return self.prepare_at <= now < self.ends_at


class Times(Protocol):
    """What a lesson says about when it is held: a row of the table, or its columns (a city has thousands)."""

    @property
    def id(self) -> str: ...
    @property
    def course_id(self) -> str: ...
    @property
    def first_on(self) -> dt.date: ...
    @property
    def last_on(self) -> dt.date: ...
    @property
    def bell(self) -> dt.time: ...
    @property
    def fold(self) -> int: ...
    @property
    def zone(self) -> str: ...
    @property
    def minutes(self) -> int: ...
    @property
    def removed_at(self) -> dt.datetime | None: ...


def list_occurrences(
    lesson: Times, skips: dict[dt.date, dt.datetime], start: dt.datetime, end: dt.datetime
) -> list[Occurrence]:
    """Return the lesson's days of which any part, preparation included, lies in [`start`, `end`), in order.

    `skips`: local days that were taken out, and when. What was taken out after it had begun to be prepared
    ends there; what was taken out before is left out.
    """
    tz = ZoneInfo(lesson.zone)
    first = (start - LONGEST).astimezone(tz).date() - DAY
    last = (end + PREPARE_BEFORE).astimezone(tz).date() + DAY
    found = (_make_occurrence(lesson, day, skips.get(day)) for day in _list_days(lesson, first, last))
    return [o for o in found if o is not None and o.prepare_at < end and o.ends_at > start]


def _list_days(lesson: Times, first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """The lesson's days within [`first`, `last`]."""
    weeks = max(0, -((lesson.first_on - first).days // 7))  # rounded up
    day = lesson.first_on + weeks * WEEK
    while day <= min(last, lesson.last_on):
        yield day
        day += WEEK


def _make_occurrence(lesson: Times, day: dt.date, skipped_at: dt.datetime | None) -> Occurrence | None:
    fold = lesson.fold if day == lesson.first_on else 0
    local = dt.datetime.combine(day, lesson.bell, ZoneInfo(lesson.zone)).replace(fold=fold)
    starts_at = local.astimezone(dt.UTC)
    ends_at = starts_at + dt.timedelta(minutes=lesson.minutes)
    ends_at = min([ends_at, *(at for at in (skipped_at, lesson.removed_at) if at is not None)])
    found = Occurrence(lesson.id, lesson.course_id, day, starts_at, ends_at)
    return found if ends_at > found.prepare_at else None
