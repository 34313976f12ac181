"""Writes live documents to disk before a submission reads the disk.

In a team workspace a keystroke reaches the disk about a second after the last one (jupyter-collaboration's
`document_save_delay`), and never while somebody keeps typing. The sidebar saves what its own browser has
open; what only other members have open is saved here.

The room's own `_save_to_disc` does not do: each key that arrives meanwhile cancels it, and its task ends the
same way whether it was cancelled, failed, or the text is on the disk. So the room's text is given to the
room's file directly, which no key cancels, and which says what became of it.
"""

import asyncio
from pathlib import PurePosixPath
from typing import Any

SAVE_TIMEOUT_S = 15


class NotSaved(Exception):
    """A live document below the folder could not be written, or not in time; the text is its path."""


async def save_live_documents(server_app: Any, folder: str) -> int:
    """Save each live document below `folder` (relative to Lab's root) and return how many there were.

    Afterwards the disk has what every room held at the call, or something newer. Raises NotSaved.
    """
    rooms = [room for room in _list_rooms(server_app) if _is_below(room, folder)]
    typed = [(room, await _save_room(room)) for room in rooms]
    for room, content in typed:
        # Of two rooms on one file jupyter-collaboration tells neither of the other: the later save won.
        if content is not None and room._file.number_of_subscriptions > 1:
            await _check_on_disk(room, content, None)
    return len(rooms)


def _list_rooms(server_app: Any) -> list[Any]:
    """Document rooms of jupyter_server_ydoc; none when live editing is off."""
    apps = server_app.extension_manager.extension_apps.get("jupyter_server_ydoc", ())
    servers = [app.ywebsocket_server for app in apps if hasattr(app, "ywebsocket_server")]
    return [room for server in servers for room in list(server.rooms.values()) if hasattr(room, "_file")]


def _is_below(room: Any, folder: str) -> bool:
    path = _find_path(room)
    return path is not None and PurePosixPath(path).is_relative_to(folder)


def _find_path(room: Any) -> str | None:
    """None once the file was deleted in Lab; its room stays for as long as somebody's tab shows it."""
    try:
        return str(room._file.path)
    except RuntimeError:
        return None


async def _save_room(room: Any) -> Any:
    """Return what the room holds now and the disk has as well; None if nobody typed it. Raises NotSaved."""
    path = _find_path(room)
    # A room that is still loading has nothing that did not come from the disk, and not all of that.
    if path is None or not room.ready:
        return None
    try:
        async with asyncio.timeout(SAVE_TIMEOUT_S):
            # Whoever is cancelled in the middle of the file's save waits for its end, however long.
            return await asyncio.shield(_save_now(room))
    except TimeoutError:
        raise NotSaved(path) from None


async def _save_now(room: Any) -> Any:
    from jupyter_server_ydoc.utils import OutOfBandChanges  # loaded when there are rooms, and only then

    async with room._update_lock:  # not while the room takes its text from the disk
        # In one go: `aget` lets keys in between, and misses a cell that somebody moves.
        content, untouched = room._document.get(), _is_untouched(room)
    if untouched and room._file.number_of_subscriptions > 1:
        return None  # the other room's text may be newer
    failure: Exception | None = None
    answer = None
    try:
        model = {"format": room._file_format, "type": room._file_type, "content": content}
        answer = await room._file.maybe_save_content(model)
    except OutOfBandChanges as change:
        # The file counts this change as known from now on, so the room would hear of it from nobody else.
        await room._on_outofband_change()
        content = room._document.get() if untouched else content
        failure = change
    except Exception as error:  # noqa: BLE001 - a full disk, a lost right: the disk answers for all of them
        room.log.warning("atelier: a live document was not saved: %r", error)
        failure = error
    if answer is None:
        await _check_on_disk(room, content, failure)
    else:
        await _note_saved(room, content, answer["hash"])
    return None if untouched else content


async def _check_on_disk(room: Any, content: Any, failure: Exception | None) -> None:
    """Raise NotSaved, because of `failure`, unless the disk has the content."""
    if not await _is_on_disk(room, content):
        raise NotSaved(_find_path(room)) from failure


def _is_untouched(room: Any) -> bool:
    """Whether nobody typed since the room was last saved or loaded, as far as the room knows."""
    pending = room._saving_document is not None and not room._saving_document.done()
    return not pending and not room._document.dirty


async def _is_on_disk(room: Any, content: Any) -> bool:
    """Of a file that was not written: whether it holds `content` anyway, or is no longer there to hand in."""
    try:
        model = await room._file.load_content(room._file_format, room._file_type)
    except Exception as error:  # noqa: BLE001 - what cannot be read cannot be vouched for
        # Deleted in a terminal, the file leaves the room a path to nothing; in Lab, no path.
        return getattr(error, "status_code", None) == 404 or _find_path(room) is None
    # Loading adds what a notebook leaves out, so compare what the room would have become.
    loaded = type(room._document)()
    loaded.set(model["content"])
    return bool(_leave_trust_out(loaded.get()) == _leave_trust_out(content))


def _leave_trust_out(content: Any) -> Any:
    """Return a notebook without its cells' `trusted`: a save signs it, and a load tells of that."""
    if not isinstance(content, dict):
        return content
    cells = [
        {**cell, "metadata": {name: value for name, value in cell["metadata"].items() if name != "trusted"}}
        for cell in content["cells"]
    ]
    return {**content, "cells": cells}


async def _note_saved(room: Any, content: Any, saved_hash: str) -> None:
    """Tell the browsers, as the room does after a save of its own."""
    async with room._update_lock:  # what changes under it, the room does not take for typing
        room._document.hash = saved_hash
        if room._document.get() == content:
            room._document.dirty = False
