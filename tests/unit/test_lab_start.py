"""Modules on demand, and that what stands in for a module is asked no more than it can answer."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from atelier_lab.shared_answers import KINDS, has_own_settings
from atelier_lab.start import kernel, server
from atelier_lab.start.debugger import describe_unused
from atelier_lab.start.kernel_specs import OURS, STOCK, KernelSpecs
from atelier_lab.start.on_demand import (
    OnDemand,
    environment,
    on_demand,
    stand_for_call,
    stand_for_class,
    uncollected,
    without,
)
from atelier_lab.trusted_schemas import TrustingValidator
from jsonschema import Draft7Validator, ValidationError
from jupyter_client.kernelspec import KernelSpecManager

SHARE = Path(sys.prefix) / "share" / "jupyter"


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module that lies on the path and is not imported."""
    (tmp_path / "atelier_test_shapes.py").write_text(
        "class Square: pass\nclass Small(Square): pass\ndef area(side): return side * side\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "atelier_test_shapes", raising=False)
    return "atelier_test_shapes"


def test_module_is_imported_when_something_of_it_is_needed_and_not_before(shapes: str) -> None:
    with on_demand({shapes: {"sides": 4}}):
        stand_in = importlib.import_module(shapes)
        assert stand_in.sides == 4
        assert isinstance(sys.modules[shapes], OnDemand)
        assert stand_in.area(3) == 9
        assert not isinstance(sys.modules[shapes], OnDemand)


def test_who_imports_it_later_gets_the_real_module(shapes: str) -> None:
    with on_demand({shapes: {}}):
        stand_in = importlib.import_module(shapes)
    assert shapes not in sys.modules
    real = importlib.import_module(shapes)
    assert type(real) is ModuleType
    assert stand_in.area is real.area


def test_what_is_imported_already_stays_itself() -> None:
    with on_demand({"json": {}}), without(["json"]):
        assert importlib.import_module("json") is json


def test_nothing_is_an_instance_of_a_class_whose_module_nobody_has_imported(shapes: str) -> None:
    square = stand_for_class(shapes, "Square")
    with on_demand({shapes: {"Square": square}}):
        assert not isinstance(object(), square)
    real = importlib.import_module(shapes)
    assert isinstance(real.Small(), square)
    assert not isinstance(object(), square)


def test_call_goes_to_the_real_function(shapes: str) -> None:
    with on_demand({shapes: {"area": stand_for_call(shapes, "area")}}):
        area = importlib.import_module(shapes).area
    assert shapes not in sys.modules
    assert area(side=5) == 25


def test_hidden_modules_and_changed_variables_are_back_afterwards(
    shapes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_TEST_SET", "before")
    monkeypatch.delenv("ATELIER_TEST_UNSET", raising=False)
    changed = environment(ATELIER_TEST_SET="meanwhile", ATELIER_TEST_UNSET="meanwhile")
    with without([shapes]), changed:
        assert os.environ["ATELIER_TEST_SET"] == os.environ["ATELIER_TEST_UNSET"] == "meanwhile"
        with pytest.raises(ImportError):
            importlib.import_module(shapes)
    assert os.environ["ATELIER_TEST_SET"] == "before"
    assert "ATELIER_TEST_UNSET" not in os.environ
    assert importlib.import_module(shapes).area(1) == 1


def test_garbage_is_looked_for_again_afterwards() -> None:
    asked = "import gc; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    code = f"from atelier_lab.start.on_demand import uncollected\nwith uncollected(): pass\n{asked}"
    assert run_python(code).stdout.split() == ["True", "True"]
    assert uncollected  # what is run is what is imported here


# ------------------------------------------------ what upstream asks of a stand-in
def find_uses(module: str, name: str) -> list[str]:
    """Return the kinds of place where `module` uses what it has imported as `name`."""
    found = importlib.util.find_spec(module)
    assert found
    assert found.origin
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    uses = []
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if any(isinstance(one, ast.Name) and one.id == name for one in _list_names(node, child)):
                called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                uses.append(node.func.id if called else type(node).__name__)  # type: ignore[attr-defined]
    return uses


def _list_names(node: ast.AST, child: ast.AST) -> list[ast.AST]:
    """A union in `isinstance(x, A | B)` belongs to the call."""
    if isinstance(node, ast.BinOp):
        return []
    return [child.left, child.right] if isinstance(child, ast.BinOp) else [child]


@pytest.mark.parametrize(
    ("module", "name", "use"),
    [
        ("jupyterhub.log", "HealthCheckHandler", "isinstance"),
        ("jupyterhub.utils", "SQLAlchemyError", "ExceptHandler"),
        ("jupyterlab.extensions", "PyPIExtensionManager", "PyPIExtensionManager"),
    ],
)
def test_what_stands_in_is_asked_no_more_than_it_can_answer(module: str, name: str, use: str) -> None:
    assert set(find_uses(module, name)) == {use}


def test_installed_versions_are_those_the_stand_ins_were_made_for() -> None:
    """After an upgrade: measure, look at what the parts import by then, and change the versions."""
    assert server.is_known()
    assert kernel.version("ipykernel").startswith(kernel.KNOWN_IPYKERNEL)


# ------------------------------------------------ starting
def run_python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=True,
    )


LIST = "import json, sys; print(json.dumps(sorted(sys.modules)))"
IMPORT = "from atelier_lab.start import server; {}server.import_server(); "


LEAVE = """
import atexit, sys, threading
from atelier_lab.start.server import leaving_at_once
class Untidied:
    def __del__(self): print("tidied up")
kept = Untidied()
with leaving_at_once():
    atexit.register(print, "what others registered")
    threading.Thread(target=lambda: (threading.main_thread().join(), print("a thread's last words"))).start()
    {}
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('why')", 1), ("1 / 0", 1)],
)
def test_server_leaves_when_all_is_said_and_done_without_tidying_up(ending: str, status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEAVE.format(ending)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["a thread's last words", "what others registered"]
    assert done.returncode == status
    assert ("ZeroDivisionError" in done.stderr) == (ending == "1 / 0")


STOPPED_WHILE_LOGGING = """
import asyncio, os, signal, sys
from jupyter_server.serverapp import ServerApp
from atelier_lab.start.server import stop_between_callbacks
from tornado.ioloop import IOLoop

stop_between_callbacks()

class Pipe:
    def write(self, text):
        if "a request" in text:
            os.kill(os.getpid(), signal.SIGTERM)
            [None for _ in range(1000)]  # Python looks for signals between two of its steps
            assert not stopped, "the signal was answered in the middle of a line"
        print(text, end="", file=sys.__stderr__)
    def flush(self): ...

async def main():
    server.io_loop = IOLoop.current()
    server._stop = ended.set
    server.init_signal()
    server.log.warning("a request")
    await asyncio.wait_for(ended.wait(), 60)

ended, stopped = asyncio.Event(), []
sys.stderr = Pipe()
server = ServerApp()
server.log.critical = lambda *words: stopped.append(words)
asyncio.run(main())
assert len(stopped) == 1
"""


def test_a_signal_in_the_middle_of_a_line_of_the_log_stops_the_server() -> None:
    """Python refuses to write a line inside another one, and Jupyter's answer to the signal ended there."""
    code = [sys.executable, "-c", STOPPED_WHILE_LOGGING]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a request" in done.stderr


def test_server_of_another_version_is_imported_as_it_is() -> None:
    ours = set(json.loads(run_python(IMPORT.format("") + LIST).stdout))
    stock = set(json.loads(run_python(IMPORT.format("server.KNOWN = {'jupyterhub': '5.'}; ") + LIST).stdout))
    assert "sqlalchemy" not in ours
    assert "sqlalchemy" in stock
    assert "jupyterhub.singleuser.extension" in ours & stock


def test_no_program_runs_while_the_server_is_imported(tmp_path: Path) -> None:
    (tmp_path / "node").write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    (tmp_path / "node").chmod(0o755)
    run_python(IMPORT.format(""), PATH=str(tmp_path))
    assert not (tmp_path / "called").exists()


def test_authorities_are_left_out_only_where_the_hub_is_not_asked_over_https() -> None:
    assert "SSL_CERT_FILE" in server.describe_import({"JUPYTERHUB_API_URL": "http://hub:8081/hub/api"})
    assert "SSL_CERT_FILE" not in server.describe_import({"JUPYTERHUB_API_URL": "https://hub:8081/hub/api"})
    assert "SSL_CERT_FILE" not in server.describe_import({})


@pytest.mark.parametrize(
    ("module", "imports", "ordinary"),
    [
        (server, "import_server", ["-P", "-m", "jupyterhub.singleuser"]),
        (kernel, "import_kernel", ["-m", "ipykernel_launcher"]),
    ],
)
def test_start_that_fails_becomes_the_stocks_start(
    module: ModuleType,
    imports: str,
    ordinary: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Replaced(Exception):
        pass

    def fail() -> None:
        raise AttributeError("gone upstream")

    def replace(_program: str, arguments: list[str]) -> None:
        raise Replaced(arguments)

    monkeypatch.setattr(module, imports, fail)
    monkeypatch.setattr(os, "execv", replace)
    monkeypatch.setattr(sys, "argv", ["start", "-f", "x.json"])
    with pytest.raises(Replaced) as replaced:
        module.main()
    assert replaced.value.args[0] == [sys.executable, *ordinary, "-f", "x.json"]
    assert "atelier-start: " in capsys.readouterr().err


# ------------------------------------------------ kernels
@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    return tmp_path


def add_kernel(folder: Path, name: str, argv: list[str]) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": name, "language": "python"})
    )


def test_same_kernels_are_found_as_jupyter_finds(home: Path) -> None:
    add_kernel(home / ".local/share/jupyter/kernels", "own", ["python", *STOCK])
    add_kernel(home / ".ipython/kernels", "old", ["python", *STOCK])
    found = KernelSpecs().find_kernel_specs()
    assert found == KernelSpecManager().find_kernel_specs()
    assert found.keys() == {"python3", "own", "old"}


def test_only_the_environments_own_python_is_started_differently(home: Path) -> None:
    add_kernel(home / ".local/share/jupyter/kernels", "own", ["python", *STOCK])
    specs = KernelSpecs()
    assert specs.get_kernel_spec("python3").argv[1:] == OURS
    assert specs.get_kernel_spec("own").argv == ["python", *STOCK]
    own = specs.get_kernel_spec("python3").to_dict()
    stock = KernelSpecManager().get_kernel_spec("python3").to_dict()
    assert {**own, "argv": None} == {**stock, "argv": None}


def test_unused_debugger_is_described_as_ipykernel_describes_it() -> None:
    code = (
        "import asyncio, json\nfrom types import SimpleNamespace\nfrom ipykernel.debugger import Debugger\n"
        "bare = SimpleNamespace(breakpoint_list={}, stopped_threads=set(), is_started=False)\n"
        "asked = {'seq': 3, 'type': 'request', 'command': 'debugInfo'}\n"
        "print(json.dumps(asyncio.run(Debugger.debugInfo(bare, asked))))"
    )
    theirs = json.loads(run_python(code).stdout)
    ours = describe_unused({"seq": 3, "type": "request", "command": "debugInfo"})
    for answer in (ours, theirs):
        assert answer["body"].pop("tmpFilePrefix").startswith("/tmp/ipykernel_")
    assert ours == theirs


# ------------------------------------------------ settings
def test_descriptions_of_settings_that_are_no_longer_checked_at_each_start_are_right() -> None:
    schemas = [
        *SHARE.glob("lab/schemas/@jupyterlab/*/*.json"),
        *SHARE.glob("labextensions/**/schemas/**/*.json"),
    ]
    schemas = [path for path in schemas if path.name not in ("package.json", "package.json.orig")]
    assert len(schemas) > 70
    for path in schemas:
        Draft7Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_peoples_own_settings_are_checked_as_before() -> None:
    with pytest.raises(ValidationError):
        TrustingValidator({"type": "object", "properties": {"a": {"type": "number"}}}).validate({"a": "x"})


def test_own_settings_are_noticed_wherever_they_lie(tmp_path: Path) -> None:
    assert not has_own_settings(str(tmp_path / "absent"))
    (tmp_path / "@jupyterlab" / "x").mkdir(parents=True)
    assert not has_own_settings(str(tmp_path))
    (tmp_path / "@jupyterlab" / "x" / "plugin.jupyterlab-settings").write_text("{}")
    assert has_own_settings(str(tmp_path))
    assert len(KINDS) == 3
