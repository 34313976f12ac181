"""What jupyter_server calls when it loads `atelier_nbgrader`.

Its name sorts before nbgrader's, so its routes are asked first: the guarded formgrader answers, not the
plain one.
"""

import os
from typing import Any

from atelier_nbgrader.config import add_own_programs, quiet_known_warnings
from atelier_nbgrader.server.course_start import ensure_course
from atelier_nbgrader.server.formgrader_guard import list_guarded_routes


def load_extension(server: Any) -> None:
    """Prepare the course and guard formgrader; does nothing in other kinds of workspaces."""
    if os.environ.get("ATELIER_KIND") != "course":
        return
    add_own_programs(os.environ)
    quiet_known_warnings()
    base_url = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", list_guarded_routes(base_url))
    try:
        ensure_course(os.environ, server.log)
    except Exception:
        # A course that cannot be prepared must not keep its teacher out of her files.
        server.log.exception(
            "The course's folders could not be prepared; restart the workspace to try again."
        )
