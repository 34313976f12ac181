"""Log lines for a collector, and the steward's note for monitoring."""

import datetime as dt
import json
import logging
from pathlib import Path

from atelier.logs import JsonLines
from atelier.steward.noting import make_note

from deploy.logs import remove_old_logs
from deploy.settings import TownSettings


def test_a_line_is_one_json_object_whatever_somebody_typed_into_it():
    record = logging.LogRecord("atelier", logging.INFO, "", 1, "got %s", ('x\n{"level": "error"}',), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == 'got x\n{"level": "error"}'
    assert json.loads(line)["level"] == "info"


def test_a_failure_carries_its_traceback_in_the_same_line():
    try:
        raise ValueError("проба")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("atelier", logging.ERROR, "", 1, "failed", None, info)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError: проба" in json.loads(line)["traceback"]


def test_the_steward_notes_its_rounds(tmp_path: Path):
    make_note(tmp_path, lambda: 1795291200.4)()
    assert [path.name for path in tmp_path.iterdir()] == ["atelier_steward.prom"]
    assert "last_round_timestamp_seconds 1795291200\n" in (tmp_path / "atelier_steward.prom").read_text()
    make_note(None, lambda: 0)()


def test_how_long_each_log_is_kept_is_a_setting(tmp_path: Path):
    settings = TownSettings("a.example", "x", "a@b.example", log_days=30, log_days_of={"front": 7})
    now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    for service in ("front", "web"):
        for age_days in (1, 10, 40):
            at = now - dt.timedelta(days=age_days)
            (tmp_path / f"{service}-{at:%Y%m%dT%H%M%SZ}.log.gz").touch()
    (tmp_path / "mine.txt").touch()
    removed = remove_old_logs(tmp_path, settings.find_log_days, now)
    assert sorted(path.name.partition("-")[0] for path in removed) == ["front", "front", "web"]
    assert len(list(tmp_path.iterdir())) == 4
