"""Counts what passes between a browser and a server: bytes on the wire, encryption and headers included."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import Self

CHUNK_BYTES = 65536


@dataclass
class Traffic:
    """Bytes since the last reading."""

    down: int = 0
    up: int = 0
    connections: int = 0


class Relay:
    """Passes TCP connections on to a port of this machine, in a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._traffic = Traffic()
        self._loop = asyncio.new_event_loop()
        self.port = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def read(self) -> Traffic:
        """Return what has passed since the last call, and count anew."""
        passed, self._traffic = self._traffic, Traffic()
        return passed

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._pass_on, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _pass_on(self, browser: asyncio.StreamReader, to_browser: asyncio.StreamWriter) -> None:
        self._traffic.connections += 1
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        await asyncio.gather(
            self._copy(browser, to_server, "up"),
            self._copy(server, to_browser, "down"),
            return_exceptions=True,
        )

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(CHUNK_BYTES):
                setattr(self._traffic, way, getattr(self._traffic, way) + len(piece))
                target.write(piece)
                await target.drain()
        target.close()
