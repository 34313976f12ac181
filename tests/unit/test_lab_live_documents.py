"""Claims about live documents at Submit: what a team's rooms hold is on the disk, or nothing is submitted."""

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from atelier_lab import live_documents
from atelier_lab.errors import explain
from atelier_lab.live_documents import NotSaved, save_live_documents
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyter_server_fileid.manager import ArbitraryFileIdManager
from jupyter_server_ydoc.loaders import FileLoader
from jupyter_server_ydoc.rooms import DocumentRoom
from jupyter_server_ydoc.test_utils import FakeEventLogger

FOLDER = "geo/intro"


class Disk(AsyncLargeFileManager):
    """Jupyter's own, and a test may do something whenever it is asked, make it fail, or make it read-only."""

    when_asked: Callable[[], None] = staticmethod(lambda: None)
    failure: OSError | None = None
    read_only = False

    async def get(self, path: str, content: bool = True, **options: Any) -> Any:
        model = await super().get(path, content=content, **options)
        await self._happen()
        return model | ({"writable": False} if self.read_only else {})

    async def save(self, model: Any, path: str = "") -> Any:
        await self._happen()
        return await super().save(model, path)

    async def _happen(self) -> None:
        self.when_asked()
        for _ in range(5):  # until the task that a key starts has run
            await asyncio.sleep(0)

    async def _save_file(self, *arguments: Any, **options: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return await super()._save_file(*arguments, **options)


class Team:
    """A team's files, and the rooms in which its members have them open."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk = Disk(root_dir=str(root))
        self.ids = ArbitraryFileIdManager(root_dir=str(root), db_path=str(root / ".ids.db"))
        self.rooms: dict[str, DocumentRoom] = {}
        servers = [SimpleNamespace(ywebsocket_server=SimpleNamespace(rooms=self.rooms))]
        apps = {"jupyter_server_ydoc": servers}
        self.server_app = SimpleNamespace(extension_manager=SimpleNamespace(extension_apps=apps))
        self.loaders: dict[str, FileLoader] = {}

    async def open(self, path: str, kind: str = "file") -> DocumentRoom:
        """Put a room on the file; one that jupyter-collaboration saves only after an hour without a key."""
        file_id = self.ids.index(path)
        loader = self.loaders.setdefault(file_id, FileLoader(file_id, self.ids, self.disk))
        form = "json" if kind == "notebook" else "text"
        name = f"{form}:{kind}:{file_id}"
        room = DocumentRoom(name, form, kind, loader, FakeEventLogger(), None, None, save_delay=3600)
        self.rooms[name] = room
        await room.initialize()
        return room

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    async def save(self) -> int:
        return await save_live_documents(self.server_app, FOLDER)


def make_notebook() -> str:
    """As JSON: one cell of code."""
    cell = {"cell_type": "code", "id": "c1", "metadata": {}, "source": "1", "outputs": []}
    cells = [cell | {"execution_count": None}]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})


def type_into(room: DocumentRoom, text: str) -> None:
    """As a member's browser does: the text, then the mark that it is not saved."""
    room._document._ysource += text
    room._document.dirty = True


def change_on_disk(file: Path) -> str:
    """As a program does, at a time that is another one for the coarsest clock; return the text."""
    file.write_text("from a program")
    os.utime(file, (0, 0))
    return "from a program"


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


@pytest.fixture
def file(team: Team) -> Path:
    return team.write(f"{FOLDER}/answer.py", "a")


@pytest.fixture
async def room(team: Team, file: Path) -> DocumentRoom:
    return await team.open(f"{FOLDER}/answer.py")


async def test_what_was_typed_is_on_the_disk_and_the_browsers_hear_of_it(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    type_into(room, "b")
    assert await team.save() == 1
    assert file.read_text() == "ab"
    assert (room._document.dirty, bool(room._document.hash)) == (False, True)


async def test_a_key_during_the_save_does_not_keep_from_the_disk_what_was_there_before(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    type_into(room, "b")
    keys = ["c"]

    def press() -> None:
        if keys:
            type_into(room, keys.pop())

    team.disk.when_asked = press
    await team.save()
    assert file.read_text().startswith("ab")
    assert room._document.get() == "abc"
    assert room._document.dirty, "the last key is not on the disk yet"


async def test_typing_without_end_does_not_keep_a_team_from_submitting(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    type_into(room, "b")
    team.disk.when_asked = lambda: type_into(room, "x")
    await team.save()
    assert file.read_text().startswith("ab")


async def test_a_key_during_the_rooms_own_save_is_on_the_disk_too(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    """The room's save of an older text is under way when Submit is pressed."""
    type_into(room, "b")
    own = room._save_to_disc()
    await asyncio.sleep(0)
    type_into(room, "c")
    await team.save()
    await own
    assert file.read_text() == "abc"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
async def test_a_save_that_fails_says_so(team: Team, file: Path, room: DocumentRoom, number: int) -> None:
    type_into(room, "b")
    team.disk.failure = OSError(number, "made up")
    with pytest.raises(NotSaved, match=r"geo/intro/answer\.py") as refused:
        await team.save()
    assert (file.read_text(), room._document.get()) == ("a", "ab")
    assert explain(refused.value, 500, "en")[1]["error"] == "no_space"
    team.disk.failure = None
    await team.save()
    assert file.read_text() == "ab"


async def test_a_file_that_cannot_be_written_says_so_once_somebody_types(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    team.disk.read_only = True
    await team.save()
    type_into(room, "b")
    with pytest.raises(NotSaved):
        await team.save()


async def test_an_unchanged_notebook_passes_though_nothing_can_be_written(team: Team) -> None:
    """The room adds a kernel's name to what it shows, which is nobody's work."""
    team.write(f"{FOLDER}/intro.ipynb", make_notebook())
    room = await team.open(f"{FOLDER}/intro.ipynb", "notebook")
    team.disk.read_only = True
    assert await team.save() == 1
    room._document.set_cell(0, source="1 + 1")
    with pytest.raises(NotSaved):
        await team.save()


async def test_a_save_without_an_end_says_so(
    team: Team, room: DocumentRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_documents, "SAVE_TIMEOUT_S", 0)
    type_into(room, "b")
    async with room._file._lock:
        with pytest.raises(NotSaved):
            await team.save()


async def test_a_change_on_the_disk_under_typed_text_says_so_and_a_second_try_submits(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    """The disk wins, as jupyter-collaboration has it; a member sees that before it is handed in."""
    type_into(room, "b")
    written = change_on_disk(file)
    with pytest.raises(NotSaved):
        await team.save()
    assert room._document.get() == file.read_text() == written
    await team.save()
    assert file.read_text() == written


async def test_a_change_on_the_disk_under_an_untouched_tab_is_submitted(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    written = change_on_disk(file)
    await team.save()
    assert room._document.get() == file.read_text() == written


async def test_a_file_deleted_in_lab_keeps_nobody_from_submitting(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    other = team.write(f"{FOLDER}/other.py", "a")
    type_into(await team.open(f"{FOLDER}/other.py"), "b")
    type_into(room, "b")
    file.unlink()
    team.ids.delete(f"{FOLDER}/answer.py")
    with pytest.raises(RuntimeError, match="No path found"):
        room._file.path  # noqa: B018 - it is the claim
    assert await team.save() == 1
    assert (other.read_text(), file.exists()) == ("ab", False)


async def test_a_file_deleted_in_lab_while_it_is_saved_keeps_nobody_from_submitting(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    type_into(room, "b")

    def delete() -> None:
        file.unlink(missing_ok=True)
        team.ids.delete(f"{FOLDER}/answer.py")

    team.disk.when_asked = delete
    team.disk.failure = FileNotFoundError(errno.ENOENT, "made up")
    await team.save()


async def test_a_file_deleted_in_a_terminal_keeps_nobody_from_submitting(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    type_into(room, "b")
    file.unlink()
    await team.save()
    assert not file.exists()


async def test_a_tab_nobody_types_in_writes_nothing_over_the_same_file_in_another_tab(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    """A room hears nothing of what another room of the same file saves, so its text is old."""
    await team.open(f"{FOLDER}/answer.py", "script")
    type_into(room, "b")
    await room._save_to_disc()
    await team.save()
    assert file.read_text() == "ab"


async def test_a_notebook_in_two_tabs_one_of_which_is_typed_in_is_submitted(team: Team) -> None:
    """The save signs what was fetched, and the load tells of that in each cell."""
    team.disk.notary.db_file = ":memory:"
    team.write(f"{FOLDER}/intro.ipynb", make_notebook())
    room = await team.open(f"{FOLDER}/intro.ipynb", "notebook")
    await team.open(f"{FOLDER}/intro.ipynb", "script")
    room._document.set_cell(0, source="1 + 1")
    assert await team.save() == 2
    assert "1 + 1" in (team.root / FOLDER / "intro.ipynb").read_text()


async def test_two_tabs_on_one_file_with_text_of_their_own_are_told(
    team: Team, file: Path, room: DocumentRoom
) -> None:
    """The later save wins, and there is somebody whose text it was not."""
    other = await team.open(f"{FOLDER}/answer.py", "script")
    type_into(room, "ONE")
    type_into(other, "TWO")
    with pytest.raises(NotSaved, match=r"geo/intro/answer\.py"):
        await team.save()


async def test_a_tab_that_is_still_loading_writes_nothing_over_its_file(team: Team, file: Path) -> None:
    """The file is open in another tab, so the empty room's save would not be taken for out of date."""
    room = await team.open(f"{FOLDER}/answer.py")
    name = room.room_id.replace(":file:", ":script:")
    team.rooms[name] = DocumentRoom(name, "text", "script", room._file, FakeEventLogger(), None, None, 3600)
    await team.save()
    assert file.read_text() == "a"


async def test_rooms_of_other_folders_are_left_alone(team: Team, room: DocumentRoom) -> None:
    elsewhere = team.write("geo/intro-2/answer.py", "a")
    type_into(await team.open("geo/intro-2/answer.py"), "b")
    assert await team.save() == 1
    assert elsewhere.read_text() == "a"
