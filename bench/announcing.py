"""An announced lesson for a measurement: stored as the course page stores it, kept by the real steward."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from atelier import lessons
from atelier.store import utc_now

from tests.atelier_stack import Stack

TEACHER = "bench.teacher@school-a.example"
ON_ROSTER = f"Учителка Измерена {TEACHER} teacher"  # for `Stack.add_people`
ZONE = "Europe/Sofia"
BELL_IN, MINUTES = dt.timedelta(minutes=5), 40


@contextmanager
def announced_lesson(stack: Stack, students: Sequence[str]) -> Iterator[None]:
    """A lesson of these students (addresses) that is due now; taken back with the block.

    Its bell is in five minutes and preparing begins ten before a bell: the steward starts the workspaces at
    its next look. `TEACHER` must be on the roster.
    """
    course_id, teacher_id = stack.make_course("bench", TEACHER, students), stack.find_person(TEACHER)
    local = (utc_now() + BELL_IN).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
    said = lessons.Announcement(local, ZONE, MINUTES)
    with stack.session() as session:
        lesson_id = lessons.announce(session, course_id, said, teacher_id=teacher_id, now=utc_now()).id
    yield
    with stack.session() as session:
        lessons.remove(session, course_id, lesson_id, utc_now())
