"""Points that a teacher adds for one person, worked into the list."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from atelier.marks.errors import MarkError
from atelier.marks.preview import Preview, Row, adjust
from atelier.marks.staging import POINT_STEP
from atelier.texts import N_


def adjust_preview(preview: Preview, adjustments: Mapping[str, Decimal]) -> Preview:
    """Return the list as it would be confirmed with `adjustments` (points to add or take, by person id).

    Writes nothing and keeps the digest: it stands for the list that the adjustments were made on. Who is not
    named keeps the former adjustment. Raises MarkError `bad_adjustment`, naming the person.
    """
    if adjustments.keys() - {row.person_id for row in preview.rows}:
        raise MarkError("bad_adjustment", N_("Points were added for somebody who is not in the list."))
    rows = (
        adjust(row, _check_adjustment(row, adjustments[row.person_id]), preview.scale)
        if row.person_id in adjustments and _takes_adjustment(row, adjustments[row.person_id])
        else row
        for row in preview.rows
    )
    return replace(preview, rows=tuple(rows))


def _takes_adjustment(row: Row, adjustment: Decimal) -> bool:
    """Whether there are points to adjust; an empty field (0) for somebody without a result is no mistake."""
    if not row.confirmable and adjustment != 0:
        raise MarkError(
            "bad_adjustment",
            N_("%(person)s has no result to which points could be added. Leave the field empty."),
            person=row.name,
        )
    return row.confirmable


def _check_adjustment(row: Row, adjustment: Decimal) -> Decimal:
    assert row.points is not None
    assert row.max_points is not None
    try:
        rounded = adjustment.quantize(POINT_STEP)
        fits = rounded == adjustment and 0 <= row.points + rounded <= row.max_points
    except InvalidOperation:  # NaN, infinite or absurdly long
        fits = False
    if not fits:
        raise MarkError(
            "bad_adjustment",
            N_("%(person)s would get less than 0 or more than %(max_points)s points. Change the adjustment."),
            person=row.name,
            max_points=f"{row.max_points.normalize():f}",
        )
    return rounded
