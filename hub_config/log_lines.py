"""The hub's log as one JSON object a line, of the same shape as the lines of web and steward."""

import datetime as dt
import logging
from typing import Any

from jupyterhub.log import coroutine_traceback
from pythonjsonlogger.json import JsonFormatter

from hub_config.log_secrets import hide_secrets

FIELDS = {
    "asctime": "at",
    "levelname": "level",
    "name": "logger",
    "message": "message",
    "exc_info": "traceback",
    "stack_info": "stack",
}


class JsonLines(JsonFormatter):
    """``{"at", "level", "logger", "message"[, "traceback"]}``, instants in UTC; no secret in either text."""

    def __init__(self) -> None:
        always = ["asctime", "levelname", "name", "message"]
        super().__init__(always, rename_fields=FIELDS, json_ensure_ascii=False)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the instant as web writes it: to the millisecond, with a Z."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"

    def formatException(self, ei: Any) -> str:
        """Return JupyterHub's short traceback, looked at here: a filter sees the message only."""
        return hide_secrets("".join(coroutine_traceback(*ei))).rstrip("\n")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Leave out what a library put beside the message: nobody looked at it for secrets."""
        known = {name: value for name, value in log_data.items() if name in FIELDS.values()}
        return {**known, "level": log_data["level"].lower()}


def describe_logs() -> dict[str, Any]:
    """Return what a traitlets application (the hub, the culler) adds to its logging to write JSON.

    The root logger is told, too: a library's warning would otherwise stand among the lines as text.
    """
    return {
        "filters": {"secrets": {"()": "hub_config.log_secrets.SecretsFilter"}},
        "formatters": {"json": {"()": "hub_config.log_lines.JsonLines"}},
        "handlers": {"console": {"formatter": "json", "filters": ["secrets"]}},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
