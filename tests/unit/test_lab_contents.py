"""Claims about saving in Lab: a save that does not come to its end leaves what was there before."""

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from atelier_lab.contents import HomeContents, write_beside
from tornado.web import HTTPError

from hub_config.docker_quota import FULL_FILE_BYTES

FULL = f"""
import asyncio, json, resource, signal, sys
from atelier_lab.contents import HomeContents
resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_FILE_BYTES}, {FULL_FILE_BYTES}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it
model, path = json.load(sys.stdin)
try:
    asyncio.run(HomeContents(root_dir=sys.argv[1]).save(model, path))
except Exception as error:
    print(type(error.__cause__ or error).__name__, (error.__cause__ or error).errno)
"""


def make_notebook(source: str) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": "c1", "metadata": {}, "source": source, "outputs": []}
    cells = [cell | {"execution_count": None}]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def list_visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".ipynb_checkpoints")


@pytest.fixture
def contents(tmp_path: Path) -> HomeContents:
    return HomeContents(root_dir=str(tmp_path))


@pytest.mark.parametrize("beyond", [10, 5_000, 300_000])
@pytest.mark.parametrize("kind", ["notebook", "file"])
def test_a_save_beyond_what_a_full_home_takes_leaves_the_file_as_it_was(
    tmp_path: Path, kind: str, beyond: int
) -> None:
    text = "x" * (FULL_FILE_BYTES + beyond)
    if kind == "notebook":
        name, before = "work.ipynb", json.dumps(make_notebook("1 + 1"))
        model: dict[str, Any] = {"type": "notebook", "content": make_notebook(text)}
    else:
        name, before = "work.txt", "kept"
        model = {"type": "file", "format": "text", "content": text}
    (tmp_path / name).write_text(before)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        input=json.dumps([model, name]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["OSError", "27"], done.stderr
    assert (tmp_path / name).read_text() == before
    assert list_visible(tmp_path) == [name]


async def test_what_was_saved_is_there_with_the_mode_it_had(tmp_path: Path, contents: HomeContents) -> None:
    (tmp_path / "run.sh").write_text("old")
    (tmp_path / "run.sh").chmod(0o750)
    await contents.save({"type": "file", "format": "text", "content": "нов\n"}, "run.sh")
    await contents.save({"type": "file", "format": "base64", "content": "/w=="}, "new.bin")
    assert (tmp_path / "run.sh").read_bytes() == "нов\n".encode()
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "new.bin").read_bytes() == b"\xff"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "new.bin").stat().st_mode & 0o777 == 0o666 & ~umask
    assert list_visible(tmp_path) == ["new.bin", "run.sh"]


@pytest.mark.parametrize("direction", ["create_checkpoint", "restore_checkpoint"])
async def test_a_checkpoint_is_copied_whole_or_not_at_all(
    tmp_path: Path, contents: HomeContents, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, kept = tmp_path / "work.txt", tmp_path / ".ipynb_checkpoints" / "work-checkpoint.txt"
    file.write_text("first")
    await contents.create_checkpoint("work.txt")
    file.write_text("second")

    def cut_off(source: Any, target: Any) -> None:
        target.write(source.read()[:3])
        raise OSError(errno.EFBIG, "File too large")

    arguments = ["work.txt"] if direction == "create_checkpoint" else ["checkpoint", "work.txt"]
    with monkeypatch.context() as full:
        full.setattr(shutil, "copyfileobj", cut_off)
        with pytest.raises(OSError, match="too large"):
            await getattr(contents, direction)(*arguments)
    assert (file.read_text(), kept.read_text()) == ("second", "first")
    await contents.restore_checkpoint("checkpoint", "work.txt")
    assert file.read_text() == "first"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


async def test_two_saves_of_one_file_at_once_leave_one_of_them(tmp_path: Path) -> None:
    place = tmp_path / "work.txt"
    with write_beside(place) as one:
        one.write("one" * 10_000)
        with write_beside(place) as other:
            other.write("other")
    assert place.read_text() == "one" * 10_000
    assert list_visible(tmp_path) == ["work.txt"]


def test_what_a_killed_server_left_goes_with_the_next_save(tmp_path: Path, contents: HomeContents) -> None:
    code = (
        "import os, sys; from pathlib import Path; from atelier_lab.contents import write_beside\n"
        "with write_beside(Path(sys.argv[1])) as file: file.write('half'); file.flush(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "work.txt")], check=False)
    assert len(list_visible(tmp_path)) == 1
    asyncio.run(contents.save({"type": "file", "format": "text", "content": "new"}, "work.txt"))
    assert list_visible(tmp_path) == ["work.txt"]


async def test_a_link_stays_one_and_its_file_is_saved(tmp_path: Path, contents: HomeContents) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "work.txt").write_text("old")
    (tmp_path / "work.txt").symlink_to("data/work.txt")
    await contents.save({"type": "file", "format": "text", "content": "new"}, "work.txt")
    assert (tmp_path / "work.txt").is_symlink()
    assert (tmp_path / "data" / "work.txt").read_text() == "new"


async def test_what_its_owner_has_made_read_only_stays(
    tmp_path: Path, contents: HomeContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "work.txt"
    file.write_text("old")
    allowed = os.access
    # As for somebody who is not root.
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (mode == os.W_OK and Path(path) == file) and allowed(path, mode)
    )
    with pytest.raises(HTTPError) as refused:
        await contents.save({"type": "file", "format": "text", "content": "new"}, "work.txt")
    assert refused.value.status_code == 403
    assert file.read_text() == "old"
