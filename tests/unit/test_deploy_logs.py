"""Log lines for a collector, how they are kept, and the steward's note for monitoring."""

import datetime as dt
import gzip
import json
import logging
import shutil
from pathlib import Path

import pytest
from atelier.logs import JsonLines
from atelier.steward.noting import Note

from deploy import logs, stack
from deploy.logs import move_lines, remove_old_logs
from deploy.settings import TownSettings
from deploy.stack import ComposeStack


def test_a_line_is_one_json_object_whatever_somebody_typed_into_it():
    record = logging.LogRecord("atelier", logging.INFO, "", 1, "got %s", ('x\n{"level": "error"}',), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == 'got x\n{"level": "error"}'
    assert json.loads(line)["level"] == "info"


def test_the_steward_notes_its_rounds(tmp_path: Path):
    Note(tmp_path, lambda: 1795291200.4).note_round()
    assert [path.name for path in tmp_path.iterdir()] == ["atelier_steward.prom"]
    assert "last_round_timestamp_seconds 1795291200\n" in (tmp_path / "atelier_steward.prom").read_text()
    Note(None, lambda: 0).note_round()


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


def write_log(log: Path, *words: str) -> None:
    """Append lines as Docker's driver json-file does."""
    with log.open("a") as file:
        for word in words:
            entry = {"log": f"{word}\n", "stream": "stderr", "time": "2026-11-21T03:30:00.000000001Z"}
            file.write(json.dumps(entry) + "\n")


def read_words(path: Path) -> list[str]:
    return [line.partition(" ")[2] for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def test_lines_are_moved_oldest_first_and_docker_keeps_none(tmp_path: Path):
    log, path = tmp_path / "c-json.log", tmp_path / "web-20261121T033000Z.log.gz"
    for number, file in enumerate([tmp_path / "c-json.log.2", tmp_path / "c-json.log.1", log]):
        write_log(file, f"{number} на ред")
    assert move_lines(log, path)
    assert read_words(path) == ["0 на ред", "1 на ред", "2 на ред"]
    assert [file.name for file in tmp_path.iterdir() if file.stat().st_size] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert not move_lines(log, path)


def test_a_line_that_is_written_while_others_are_packed_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log, path = tmp_path / "c-json.log", tmp_path / "web-20261121T033000Z.log.gz"
    write_log(log, "early")
    original = logs._append

    def append_slowly(source, packed):
        original(source, packed)
        write_log(log, "late")

    monkeypatch.setattr(logs, "_append", append_slowly)
    move_lines(log, path)
    write_log(log, "next")
    move_lines(log, path)
    assert read_words(path) == ["early", "late", "next", "late"]


def test_a_log_that_docker_rotates_meanwhile_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log, path = tmp_path / "c-json.log", tmp_path / "web-20261121T033000Z.log.gz"
    write_log(log, "before")
    original = logs._append

    def rotate_meanwhile(source, packed):
        original(source, packed)
        monkeypatch.setattr(logs, "_append", original)
        shutil.move(log, f"{log}.1")
        write_log(log, "after")

    monkeypatch.setattr(logs, "_append", rotate_meanwhile)
    move_lines(log, path)
    move_lines(log, path)
    assert read_words(path) == ["before", "after"]


def test_a_line_that_a_power_cut_left_half_is_kept_as_it_is(tmp_path: Path):
    log, path = tmp_path / "c-json.log", tmp_path / "web-20261121T033000Z.log.gz"
    log.write_bytes(b'{"log": "hal\n\x00\xff\n')
    write_log(log, "whole")
    move_lines(log, path)
    packed = gzip.decompress(path.read_bytes()).splitlines()
    assert packed[:2] == [b'{"log": "hal', b"\x00\xff"]
    assert packed[2].endswith(b" whole")


def test_a_rotated_file_that_docker_renumbers_meanwhile_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log, path = tmp_path / "c-json.log", tmp_path / "web-20261121T033000Z.log.gz"
    write_log(tmp_path / "c-json.log.1", "oldest")
    write_log(log, "older")
    original = logs._append

    def renumber(source, packed):
        original(source, packed)
        monkeypatch.setattr(logs, "_append", original)
        shutil.move(f"{log}.1", f"{log}.2")
        shutil.move(log, f"{log}.1")
        write_log(log, "newest")

    monkeypatch.setattr(logs, "_append", renumber)
    move_lines(log, path)
    move_lines(log, path)
    assert set(read_words(path)) == {"oldest", "older", "newest"}


def test_lines_are_moved_before_containers_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    done: list[str] = []
    monkeypatch.setattr(
        stack, "collect_logs", lambda folder, *_: done.append(f"moved to {folder.name}") or []
    )
    monkeypatch.setattr(ComposeStack, "write_variables", lambda *_: None)
    monkeypatch.setattr(ComposeStack, "_call", lambda _, *arguments: done.append(arguments[0]))
    monkeypatch.setattr(ComposeStack, "_wait", lambda *_: None)
    town = ComposeStack(tmp_path, TownSettings("a.example", "x", "a@b.example"), (), ("web",))
    town.up_database("1")
    town.start("1")
    assert done == ["moved to logs", "up", "moved to logs", "up"]


def test_a_log_that_cannot_be_moved_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    ComposeStack(tmp_path, TownSettings("a.example", "x", "a@b.example"), ())._keep_logs()
    assert "may be lost" in capsys.readouterr().err
