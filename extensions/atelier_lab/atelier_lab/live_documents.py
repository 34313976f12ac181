"""Writes live documents to disk before a submission reads the disk.

In a team workspace a keystroke reaches the disk about a second after the last one (jupyter-collaboration's
`document_save_delay`), and never while somebody keeps typing. The sidebar saves what its own browser has
open; what only other members have open is saved here.
"""

import asyncio
from pathlib import PurePosixPath
from typing import Any

SAVE_TIMEOUT_S = 15


class NotSaved(Exception):
    """A live document below the folder could not be written in time; the text is its path."""


async def save_live_documents(server_app: Any, folder: str) -> int:
    """Save each live document below `folder` (relative to Lab's root) and return how many there were."""
    rooms = [room for room in _list_rooms(server_app) if _is_below(room, folder)]
    for room in rooms:
        await _save_room(room)
    return len(rooms)


def _list_rooms(server_app: Any) -> list[Any]:
    """Document rooms of jupyter_server_ydoc; none when live editing is off."""
    apps = server_app.extension_manager.extension_apps.get("jupyter_server_ydoc", ())
    servers = [app.ywebsocket_server for app in apps if hasattr(app, "ywebsocket_server")]
    return [room for server in servers for room in list(server.rooms.values()) if hasattr(room, "_file")]


def _is_below(room: Any, folder: str) -> bool:
    return PurePosixPath(room._file.path).is_relative_to(folder)


async def _save_room(room: Any) -> None:
    """Save now, as Ctrl+S in any member's browser does, and wait until the disk has it."""
    try:
        async with asyncio.timeout(SAVE_TIMEOUT_S):
            await _start_save(room)
    except TimeoutError:
        raise NotSaved(str(room._file.path)) from None


async def _start_save(room: Any) -> None:
    """`_save_to_disc` answers None while another save is under way; that one may miss the last key."""
    while (task := room._save_to_disc()) is None:  # noqa: ASYNC110 - the room offers nothing to wait for
        await asyncio.sleep(0.05)
    await task
