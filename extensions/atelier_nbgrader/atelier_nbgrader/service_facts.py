"""Names and due dates, fresh from the service, before grading looks at them."""

import logging
import time
from collections.abc import Callable
from typing import Any

from atelier_nbgrader.exchange.client import ServiceClient, ServiceRefusal, path
from atelier_nbgrader.gradebook import open_gradebook, write_assignments, write_roster
from atelier_nbgrader.language import translate as _

FRESH_S = 60.0
_written_at: dict[str, float] = {}


def refresh_gradebook(
    coursedir: Any,
    log: logging.Logger,
    connect: Callable[[], ServiceClient] | None = None,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Write the roster's names and the due dates, at most once a minute for one gradebook.

    Without an answer grading goes on with what the last collect wrote; the log says so.
    """
    known = _written_at.get(coursedir.db_url)
    if known is not None and now() - known < FRESH_S:
        return
    _written_at[coursedir.db_url] = now()
    try:
        with (connect or ServiceClient.of_workspace)() as service:
            roster = service.get(path("courses", coursedir.course_id, "roster"))
            assignments = service.get(path("courses", coursedir.course_id, "assignments"))
    except ServiceRefusal as refusal:
        text = _("Names and due dates are those of the last collect: {reason}")
        log.warning(text.format(reason=refusal))
        return
    with open_gradebook(coursedir) as gradebook:
        write_roster(gradebook, roster)
        write_assignments(gradebook, assignments)
