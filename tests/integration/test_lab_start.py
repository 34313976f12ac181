"""What a started server and kernel have not imported, and that all they are for works nevertheless."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from atelier_lab.kernel_connections import TRY_AGAIN_MS

from tests.lab_server import Server, start_server

# Whole packages, and parts of one. Each was imported at the start before, and is not needed there.
NOT_IN_A_SERVER = {
    *(
        "sqlalchemy",
        "alembic",
        "mako",
        "httpx",
        "requests",
        "urllib3",
        "rich",
        "arrow",
        "isoduration",
        "aiodns",
    ),
    *("IPython", "ipykernel.kernelapp", "nbconvert", "nbgrader", "numpy", "pandas", "matplotlib", "debugpy"),
    *("jupyterhub.handlers", "jupyterhub.orm", "jupyterhub.app"),
}
NOT_IN_A_KERNEL = {"debugpy", "_pydevd_bundle", "matplotlib", "numpy", "pandas", "jedi", "sqlalchemy"}
NOTEBOOK = {
    "cells": [],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
LOADED = "import sys; print(*sorted(name for name in sys.modules if '.' not in name))"
# Files of the debugger that the kernel does not count as its own.
NOT_THE_KERNELS = """
import sys
parts = {name: module for name, module in sys.modules.items() if "debugpy" in name or "pydevd" in name}
parts["ipykernel.debugger"] = sys.modules["ipykernel.debugger"]
files = {part.__file__ for part in parts.values() if getattr(part, "__file__", None)}
print("many" if len(files) > 50 else "few", sorted(files - set(get_ipython().kernel._kernel_modules)))
"""
CODE = "def double(a):\n    b = 2 * a\n    return b\nresult = double(21)\n"


@pytest.fixture(scope="module")
def personal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("personal")) as server:
        # Names that a beginner gives: none may become a module of the server or of a kernel's start.
        for name in ("random", "types", "socket", "atelier_lab"):
            (server.home / f"{name}.py").write_text("raise RuntimeError('not this one')")
        (server.home / "geometry.py").write_text("sides = 4")
        yield server


def open_notebook(server: Server) -> str:
    """Ask for what Lab asks for at its start and when a notebook opens. Returns the kernel's id."""
    server.ask("api/contents/a.ipynb", {"type": "notebook", "format": "json", "content": NOTEBOOK}, "PUT")
    for path in ("lab", "lab/api/settings", "lab/api/translations/bg_BG", "api/kernelspecs", "api/terminals"):
        server.ask(path)
    server.ask("api/contents/a.ipynb?type=notebook&content=1&hash=1")
    return server.start_kernel()


@pytest.mark.parametrize("kind", ["personal", "team"])
async def test_server_has_not_imported_what_only_hubs_need_nor_after_a_notebook_opened(
    kind: str, tmp_path: Path
) -> None:
    with start_server(tmp_path, kind) as server:
        at_start = server.list_modules()
        cells = await server.connect(open_notebook(server))
        answer = await cells.say("print(6 * 7)")
        later = server.list_modules()
    assert answer == "42"
    assert "jupyterlab.labapp" in at_start
    assert "jupyterhub.singleuser.extension" in at_start
    assert not at_start & NOT_IN_A_SERVER
    assert not later & NOT_IN_A_SERVER


def test_whom_the_hub_gives_no_right_does_not_come_in(personal: Server) -> None:
    assert personal.status("api/contents") == 200
    assert personal.status("api/contents", whose="stranger") == 403
    assert personal.status("api/contents", whose="nobody") == 403


def test_start_leaves_the_environment_as_the_hub_made_it(personal: Server) -> None:
    environment = personal.ask("modules")["environment"]
    assert Path(environment["PATH"].split(":")[0]).is_dir()
    assert not environment.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}


def test_connections_to_a_kernel_that_is_starting_try_again_soon(personal: Server) -> None:
    assert personal.ask("modules")["reconnect_ms"] == TRY_AGAIN_MS < 60


def test_log_of_a_start_says_nothing_of_a_start_by_other_means(personal: Server) -> None:
    assert "atelier-start" not in personal.log.read_text()


def test_teachers_formgrader_has_its_database(tmp_path: Path) -> None:
    with start_server(tmp_path, "course") as server:
        assert server.status("formgrader/api/assignments") == 200
        assert {"sqlalchemy", "nbgrader.api"} <= server.list_modules()


async def test_kernel_has_not_imported_what_no_cell_has_asked_for(personal: Server) -> None:
    cells = await personal.connect(personal.start_kernel())
    info = await cells.debug("debugInfo")  # Lab asks this of every kernel
    loaded = set((await cells.say(LOADED)).split())
    assert info["body"]["isStarted"] is False
    assert {"ipykernel", "IPython"} <= loaded
    assert not loaded & NOT_IN_A_KERNEL


async def test_notebook_imports_from_its_own_folder(personal: Server) -> None:
    cells = await personal.connect(personal.start_kernel())
    assert await cells.say("import geometry; print(geometry.sides)") == "4"


async def test_kernel_completes_explains_and_shows_plots_and_widgets(personal: Server) -> None:
    cells = await personal.connect(personal.start_kernel())
    completed = await cells.receive(
        "complete_reply", of=cells.send("complete_request", {"code": "import mat", "cursor_pos": 10})
    )
    assert "math" in [match.split(".")[-1] for match in completed["matches"]]
    inspected = await cells.receive(
        "inspect_reply",
        of=cells.send("inspect_request", {"code": "print", "cursor_pos": 5, "detail_level": 0}),
    )
    assert "Prints the values" in inspected["data"]["text/plain"]
    plot = cells.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()")
    assert "image/png" in (await cells.receive("display_data", "error", of=plot))["data"]
    widget = cells.run("import ipywidgets; ipywidgets.IntSlider()")
    shown = await cells.receive("execute_result", "error", of=widget)
    assert "application/vnd.jupyter.widget-view+json" in shown["data"]
    assert "интернет" in await cells.say("%pip install seaborn")


async def test_debugger_stops_at_a_breakpoint_and_shows_variables(personal: Server) -> None:
    cells = await personal.connect(personal.start_kernel())
    assert (await cells.debug("initialize", clientID="lab", adapterID=""))["success"]
    assert (await cells.debug("attach"))["success"]
    path = (await cells.debug("dumpCell", code=CODE))["body"]["sourcePath"]
    found = await cells.debug("setBreakpoints", breakpoints=[{"line": 3}], source={"path": path})
    assert found["body"]["breakpoints"][0]["verified"]
    await cells.debug("configurationDone")
    running = cells.run(CODE)
    while (event := await cells.receive("debug_event"))["event"] != "stopped":
        pass
    thread = event["body"]["threadId"]
    frame = (await cells.debug("stackTrace", threadId=thread))["body"]["stackFrames"][0]
    assert (frame["name"], frame["line"]) == ("double", 3)
    scope = (await cells.debug("scopes", frameId=frame["id"]))["body"]["scopes"][0]
    variables = await cells.debug("variables", variablesReference=scope["variablesReference"])
    assert {one["name"]: one["value"] for one in variables["body"]["variables"]} == {"a": "21", "b": "42"}
    await cells.debug("continue", threadId=thread)
    assert (await cells.receive("execute_reply", of=running))["status"] == "ok"
    assert (await cells.debug("disconnect", restart=False, terminateDebuggee=False))["success"]


@pytest.fixture
def undebugged(tmp_path: Path) -> Iterator[Server]:
    """A server of its own: the second kernel of one that is debugged gets no answer, in the stock either."""
    with start_server(tmp_path / "server") as server:
        yield server


async def test_debugger_that_was_imported_late_is_the_kernels_own_as_in_the_stock(undebugged: Server) -> None:
    cells = await undebugged.connect(undebugged.start_kernel())
    assert (await cells.debug("initialize", clientID="lab", adapterID=""))["success"]
    assert (await cells.debug("attach"))["success"]
    await cells.debug("configurationDone")
    assert await cells.say(NOT_THE_KERNELS) == "many []", "a step would lead into the debugger"


async def test_restarted_and_interrupted_kernel_goes_on(personal: Server) -> None:
    kernel = personal.start_kernel()
    cells = await personal.connect(kernel)
    running = cells.run("print('now', flush=True)\nwhile True: pass")
    await cells.receive("stream", of=running)
    personal.ask(f"api/kernels/{kernel}/interrupt", {}, "POST")
    assert (await cells.receive("execute_reply", of=running))["ename"] == "KeyboardInterrupt"
    personal.ask(f"api/kernels/{kernel}/restart", {}, "POST")
    # A new connection waits until the kernel's output is heard.
    again = await personal.connect(kernel)
    assert await again.say("print('again', In[1:])") == "again [\"print('again', In[1:])\"]"
