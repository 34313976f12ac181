"""One transfer through nbgrader's own plug-in seam, in a process of its own.

`python -m atelier_lab.transfer_job <verb> <course> <assignment>` builds `nbgrader.exchange.ExchangeFactory`
from nbgrader's configuration, as nbgrader's commands do, and runs the plug-in that is configured there. Its
last line on stdout is a JSON object: `{"ok": true, …}` with what the plug-in tells of `TOLD`, or
`{"ok": false, "message": sentence or null}`.

A process of its own, because nbgrader in the server would cost each workspace 36 MB for ever after the first
click.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any

VERBS = {"fetch": "FetchAssignment", "submit": "Submit", "feedback": "FetchFeedback"}
# Attributes that Atelier's plug-ins have after a transfer; another plug-in may have none of them.
TOLD = ("receipt", "put_beside")


def main(arguments: list[str]) -> int:
    verb, course, assignment = arguments
    answer = run_transfer(verb, course, assignment)
    print(json.dumps(answer))  # noqa: T201
    return 0


def run_transfer(verb: str, course: str, assignment: str) -> dict[str, Any]:
    """Run the transfer in the current folder, the workspace's home."""
    from nbgrader.exchange import ExchangeError

    try:
        plugin = _start_plugin(verb, course, assignment)
    except ExchangeError as refusal:
        return {"ok": False, "message": str(refusal) or None}
    except Exception:
        logging.getLogger(__name__).exception("%s %s/%s failed", verb, course, assignment)
        return {"ok": False, "message": None}
    told = {name: getattr(plugin, name, None) for name in TOLD}
    return {"ok": True} | {name: value for name, value in told.items() if value}


def _start_plugin(verb: str, course: str, assignment: str) -> Any:
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeFactory

    config = _load_nbgrader_config()
    config.CourseDirectory.course_id = course
    config.CourseDirectory.assignment_id = assignment
    config.Exchange.assignment_dir = str(Path.cwd())
    make_plugin = getattr(ExchangeFactory(config=config), VERBS[verb])
    plugin = make_plugin(
        coursedir=CourseDirectory(config=config), authenticator=Authenticator(config=config), config=config
    )
    plugin.start()
    return plugin


def _load_nbgrader_config() -> Any:
    from nbgrader.apps import NbGrader

    application = NbGrader()
    application.load_config_file()
    return application.config


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
