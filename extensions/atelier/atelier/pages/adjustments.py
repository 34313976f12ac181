"""Reading the points that a teacher typed beside the list of marks."""

from decimal import Decimal, InvalidOperation

from starlette.datastructures import FormData

from atelier.pages.answers import Stopped
from atelier.texts import N_, translate

ADJUST_FIELD = "adjust-"
SHOWN_FIELD = "shown-"


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
