"""The list that a teacher confirms, as she sees it: her adjustments worked in before anything is written."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from atelier import marks
from atelier.pages.answers import Stopped
from atelier.pages.site import Site
from atelier.pages.visitors import Visitor
from atelier.texts import N_, translate

ADJUST_FIELD = "adjust-"
SHOWN_FIELD = "shown-"


@dataclass(frozen=True)
class MarkLine:
    """A row of the list with what confirming would make of it."""

    row: marks.Row
    adjustment: Decimal
    mark: str | None
    state: str

    @property
    def old_mark(self) -> str | None:
        return self.row.old.mark if self.row.old else None


@dataclass(frozen=True)
class MarkList:
    """The whole list; `digest` stands for it."""

    preview: marks.Preview
    lines: list[MarkLine]
    accept_ungraded: bool

    @property
    def digest(self) -> str:
        return self.preview.digest

    def count(self, *states: str) -> int:
        """Return how many lines are in one of `states`."""
        return sum(line.state in states for line in self.lines)

    @property
    def to_confirm(self) -> int:
        return self.count("new", "changed")


def load_mark_list(
    session: Session,
    site: Site,
    visitor: Visitor,
    assignment_id: str,
    adjustments: dict[str, Decimal],
    accept_ungraded: bool,
    now: dt.datetime,
) -> MarkList:
    """Return the list with `adjustments` worked in, by confirming it for trial: nothing is kept.

    Raises marks.MarkError for an impossible adjustment.
    """
    preview = marks.preview_marks(session, site.city, assignment_id, now, accept_ungraded=accept_ungraded)
    trial: dict[str, tuple[Decimal, str]] = {}
    if adjustments:
        with session.begin_nested() as savepoint:
            done = marks.confirm_marks(
                session, site.city, assignment_id, visitor.id, preview.digest, adjustments, now,
                accept_ungraded=accept_ungraded,
            )  # fmt: skip
            trial = {mark.person_id: (mark.adjustment, mark.mark) for mark in done.marks}
            savepoint.rollback()
    return MarkList(preview, [_make_line(row, adjustments, trial) for row in preview.rows], accept_ungraded)


def _make_line(
    row: marks.Row, adjustments: dict[str, Decimal], trial: dict[str, tuple[Decimal, str]]
) -> MarkLine:
    if not adjustments or not row.confirmable:
        return MarkLine(row, row.adjustment, row.mark, row.state)
    if row.person_id in trial:
        adjustment, mark = trial[row.person_id]
        return MarkLine(row, adjustment, mark, "changed" if row.old else "new")
    # Confirming would write nothing for this person: the mark stays the one there is.
    assert row.old is not None
    return MarkLine(row, row.old.adjustment, row.old.mark, "unchanged")


def read_adjustments(form: FormData, language: str) -> dict[str, Decimal]:
    """Return the points typed for each person; an empty field is 0. Raises Stopped for what is no number."""
    typed: dict[str, Decimal] = {}
    for key, value in form.items():
        if key.startswith(ADJUST_FIELD):
            typed[key.removeprefix(ADJUST_FIELD)] = _read_number(str(value), language)
    return typed


def was_shown(form: FormData, adjustments: dict[str, Decimal], language: str) -> bool:
    """Whether the marks on the page were those of these very adjustments."""
    return all(
        _read_number(str(form.get(SHOWN_FIELD + person_id, "")), language) == adjustment
        for person_id, adjustment in adjustments.items()
    )


def _read_number(text: str, language: str) -> Decimal:
    cleaned = text.strip().replace(",", ".").replace("−", "-")
    try:
        number = Decimal(cleaned or "0")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        message = translate(language)(N_("“%(text)s” is no number of points. Write it like 1.5 or -2."))
        raise Stopped(message % {"text": text.strip()[:20]}, status=422)
    return number
