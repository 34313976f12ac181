"""ipykernel's debugger, imported at the first request that needs it.

debugpy is a quarter of what the start of a kernel costs, and most notebooks are never debugged. But Lab asks
every kernel about its debugger, when the notebook opens; that one question is answered here.
"""

import asyncio
import importlib.util
import os
import sys
from typing import Any

from ipykernel.compiler import get_tmp_directory, get_tmp_hash_seed
from ipykernel.ipkernel import IPythonKernel

from atelier_lab.start.on_demand import OnDemand, load

REAL = "ipykernel.debugger"


def stand_in_for_debugger() -> bool:
    """Put a stand-in in the place of ipykernel's debugger. Returns whether there is one to stand in for."""
    if REAL in sys.modules or importlib.util.find_spec("debugpy") is None:
        return False
    sys.modules[REAL] = OnDemand(REAL, {"_is_debugpy_available": True})
    return True


class DebuggerOnDemand:
    """In the place of ipykernel's `Debugger`, as far as the kernel speaks to it."""

    def __init__(
        self,
        log: Any,
        stream: Any,
        publish: Any,
        shell_socket: Any,
        session: Any,
        kernel_modules: list[str],
        *more: Any,
    ) -> None:
        self._kernel_modules = kernel_modules
        self._arguments = (log, stream, publish, shell_socket, session, kernel_modules, *more)
        self._real: Any = None
        self._needed = asyncio.Event()

    async def process_request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the Debug Adapter Protocol. Runs in the thread of the control channel."""
        if self.can_answer(message) and self._real is None:
            return describe_unused(message)
        reply: dict[str, Any] = await self._find_real().process_request(message)
        return reply

    def add_kernel_modules(self, files: list[str]) -> None:
        """Count files as the kernel's own: a step never leads into them."""
        self._kernel_modules += files

    def can_answer(self, message: dict[str, Any]) -> bool:
        """Tell whether a request needs no import."""
        return self._real is not None or message.get("command") == "debugInfo"

    async def handle_stopped_event(self) -> None:
        """Wait for the next stop at a breakpoint and tell the browser about it."""
        await self._needed.wait()
        await self._real.handle_stopped_event()

    @property
    def tcp_client(self) -> Any:
        """The connection to debugpy."""
        return self._find_real().tcp_client

    def _find_real(self) -> Any:
        if self._real is None:
            self._real = load(REAL).Debugger(*self._arguments)
            self._needed.set()
        return self._real


def list_files(modules: set[str]) -> list[str]:
    """Return where the source of loaded modules lies."""
    files = (getattr(sys.modules.get(name), "__file__", None) for name in modules)
    return [file for file in files if file]


def describe_unused(message: dict[str, Any]) -> dict[str, Any]:
    """Answer ``debugInfo`` as ipykernel's debugger does before it was used."""
    return {
        "type": "response",
        "request_seq": message["seq"],
        "success": True,
        "command": message["command"],
        "body": {
            "isStarted": False,
            "hashMethod": "Murmur2",
            "hashSeed": get_tmp_hash_seed(),  # type: ignore[no-untyped-call]
            "tmpFilePrefix": get_tmp_directory() + os.sep,  # type: ignore[no-untyped-call]
            "tmpFileSuffix": ".py",
            "breakpoints": [],
            "stoppedThreads": [],
            "richRendering": True,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": True,
        },
    }


async def load_debugger() -> list[str]:
    """Import ipykernel's debugger in the thread whose loop runs this. Returns the files that came with it.

    At the stock's start they are loaded before the kernel looks which files are its own.
    """
    before = set(sys.modules) - {REAL}  # its stand-in
    load(REAL)
    return list_files(set(sys.modules) - before)


class Kernel(IPythonKernel):
    """ipykernel's kernel with the debugger above."""

    debugger_class = DebuggerOnDemand

    async def do_debug_request(self, msg: dict[str, Any]) -> dict[str, Any]:
        """Answer a debugger's request, after the main thread has imported what is needed for it.

        It imports it at the stock's start too, and debugpy looks at the thread that does. A kernel that runs
        a cell answers when the cell has ended, as the stock does when a debugger is to be switched on.
        """
        if not self.debugger.can_answer(msg):
            main_loop: Any = self.io_loop
            loading = asyncio.run_coroutine_threadsafe(load_debugger(), main_loop.asyncio_loop)
            self.debugger.add_kernel_modules(await asyncio.wrap_future(loading))
        reply: dict[str, Any] = await super().do_debug_request(msg)  # type: ignore[no-untyped-call]
        return reply
