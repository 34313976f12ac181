"""Log lines of web and steward: for a person at a terminal, or one JSON object a line for a collector.

What stands in them is the same: ids, numbers, areas; no name of a person, no token, no content of a file. So
a traceback says where and of which sort, and leaves out what a message may quote (`atelier.failures`).
"""

import datetime as dt
import json
import logging
import sys
from types import TracebackType
from typing import Literal

from atelier.failures import describe_failure

LogFormat = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextLines(logging.Formatter):
    """Lines for a person at a terminal."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatException(self, ei: ExceptionInfo) -> str:
        """Return frames and classes, no messages."""
        return describe_failure(ei[1]) if ei[1] is not None else ""


class JsonLines(TextLines):
    """``{"at", "level", "logger", "message"[, "traceback"]}``, instants in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line: what breaks a line is escaped, so nobody can forge a second one."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line = {
            "at": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logs(form: LogFormat) -> None:
    """Send all log lines of this process to stderr in the given form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)
