"""What holds for the images themselves. A child passes its parents' tests: they run over its whole family."""

import re
from pathlib import PurePosixPath

import pytest

from images.catalog import list_family, load_images
from tests.docker_town import Daemon

# Beside other tests: while these build every image from nothing, the network is busy and a core is not.
pytestmark = [pytest.mark.docker, pytest.mark.side_by_side]

ALL = load_images()
SITE = "/opt/atelier/lib/python3.11/site-packages"
WORKSPACE_MAX_MB = 900
OWN = "mode=700,uid=1000,gid=1000"
TROUBLE = re.compile(r"warning|error|traceback|deprecat|\[[WE] ", re.IGNORECASE)  # [C: its address


def list_heirs(name: str) -> list[str]:
    """The image and all that are made from it."""
    return [child for child in ALL if name in {image.name for image in list_family(ALL, child)}]


def list_with_python() -> list[str]:
    """The images with packages of ours, their own or a parent's."""
    return [name for name in ALL if any(image.packages for image in list_family(ALL, name))]


def run_in(daemon: Daemon, tag: str, *command: str, user: str | None = None) -> str:
    """Run a program in a container as tight as a workspace's; return what it printed on both streams."""
    with daemon.connect() as client:
        output = client.containers.run(
            tag,
            list(command),
            entrypoint="",
            user=user,
            remove=True,
            stderr=True,
            cap_drop=["ALL"],
            read_only=True,
            network_mode="none",
            tmpfs={"/tmp": "", "/run/atelier": OWN, "/home/work": OWN},
            environment={"HOME": "/home/work"},
        )
    return str(output.decode())


# ------------------------------------------------ base
@pytest.mark.parametrize("name", list_heirs("base"))
def test_runs_as_nobody_special(daemon: Daemon, images: dict[str, str], name: str) -> None:
    assert run_in(daemon, images[name], "id", "-u").strip() == "1000"


@pytest.mark.parametrize("name", list_heirs("base"))
def test_says_what_it_is(daemon: Daemon, images: dict[str, str], name: str) -> None:
    with daemon.connect() as client:
        labels = client.images.get(images[name]).labels
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == ALL[name].title
    assert labels[f"{prefix}licenses"] == "BSD-3-Clause"
    assert labels[f"{prefix}vendor"] == "Atelier"  # by which an upgrade knows leftovers of ours
    assert re.fullmatch(r"[0-9a-f]{40}", labels[f"{prefix}revision"])
    assert labels[f"{prefix}created"] > "2026"


@pytest.mark.parametrize("name", list_heirs("base"))
def test_no_program_gains_rights(daemon: Daemon, images: dict[str, str], name: str) -> None:
    """Set-user-id programs of Debian are harmless under no-new-privileges; nothing beyond them is there."""
    # Root without capabilities may not look everywhere; what it cannot read, nobody can start.
    find = "find / -xdev -perm /6000 -type f 2>/dev/null || true"
    found = run_in(daemon, images[name], "sh", "-c", find, user="0:0").split()
    assert "/usr/bin/su" in found or "/bin/su" in found, "nothing was looked at"
    ours = [path for path in found if path.startswith(("/opt", "/usr/local", "/home", "/srv"))]
    assert ours == []


@pytest.mark.parametrize("name", list_heirs("base"))
def test_holds_no_setting_of_the_machine_that_built_it(
    daemon: Daemon, images: dict[str, str], name: str
) -> None:
    with daemon.connect() as client:
        configuration = client.images.get(images[name]).attrs["Config"]
    names = {variable.partition("=")[0].lower() for variable in configuration["Env"]}
    assert not {n for n in names if "proxy" in n or "token" in n or "secret" in n or n.startswith("pip_")}


@pytest.mark.parametrize("name", list_with_python())
def test_every_module_has_its_byte_code_and_nobody_can_change_it(
    daemon: Daemon, images: dict[str, str], name: str
) -> None:
    script = (
        "import pathlib, importlib.util as u\n"
        f"root = pathlib.Path('{SITE}')\n"
        "cached = lambda p: pathlib.Path(u.cache_from_source(str(p)))\n"
        "bare = [str(p) for p in root.rglob('*.py') if not cached(p).exists()]\n"
        "loose = [str(p) for p in root.rglob('*') if p.stat().st_uid == 1000 or p.stat().st_mode & 0o022]\n"
        "print(bare[:20], len(bare), loose[:5])"
    )
    said = run_in(daemon, images[name], "python", "-c", script)
    # Templates of code that no Python compiles (e.g. of alembic) have none.
    count = int(re.search(r"\] (\d+) \[", said)[1])  # type: ignore[index]
    assert count <= 5, said
    assert said.rstrip().endswith("[]"), said


@pytest.mark.parametrize("name", list_with_python())
def test_uv_has_installed_all_and_pip_did_not_have_to_help(
    daemon: Daemon, images: dict[str, str], name: str
) -> None:
    """Where uv fails, pip makes the same image more slowly, and nobody would notice."""
    said = run_in(daemon, images[name], "sh", "-c", f"cat {SITE}/*.dist-info/INSTALLER; echo")
    assert said.count("uv") > 10
    assert said.replace("uv", "").strip() == "", said


@pytest.mark.parametrize("name", [heir for heir in list_heirs("base") if heir != "base"])
@pytest.mark.parametrize("program", ["gcc", "node", "npm", "curl", "wget", "git", "ssh"])
def test_no_tool_that_nobody_needs(daemon: Daemon, images: dict[str, str], name: str, program: str) -> None:
    assert run_in(daemon, images[name], "sh", "-c", f"command -v {program} || echo none").strip() == "none"


# ------------------------------------------------ workspace
@pytest.mark.parametrize("name", list_heirs("workspace"))
def test_is_small(daemon: Daemon, images: dict[str, str], name: str) -> None:
    with daemon.connect() as client:
        size_mb = client.images.get(images[name]).attrs["Size"] / 1e6
    assert size_mb < WORKSPACE_MAX_MB


@pytest.mark.parametrize("name", list_heirs("workspace"))
def test_what_a_notebook_imports_works_without_what_was_left_out(
    daemon: Daemon, images: dict[str, str], name: str
) -> None:
    script = (
        "import warnings; warnings.simplefilter('error', DeprecationWarning)\n"
        "import numpy as np, pandas as pd, scipy.stats, scipy.optimize, matplotlib; matplotlib.use('Agg')\n"
        "import matplotlib.pyplot as plt, numpy.testing, pandas.testing, ipywidgets, atelier_widgets\n"
        "warnings.simplefilter('default')\n"
        "import statsmodels.api as sm, statsmodels.formula.api as smf\n"
        "data = pd.DataFrame({'x': np.arange(9.0), 'y': 2 * np.arange(9.0) + 1})\n"
        "assert abs(smf.ols('y ~ x', data).fit().params['x'] - 2) < 1e-9\n"
        "assert len(sm.datasets.co2.load_pandas().data) > 100\n"
        "data.plot(title='Жълто'); plt.savefig('/tmp/a.png'); np.testing.assert_allclose(1, 1)\n"
        "print('fine')"
    )
    assert run_in(daemon, images[name], "python", "-c", script).strip().splitlines()[-1] == "fine"


@pytest.mark.parametrize("name", list_heirs("workspace"))
def test_neither_hub_configuration_nor_service_is_in_it(
    daemon: Daemon, images: dict[str, str], name: str
) -> None:
    script = (
        "import importlib.util as u\n"
        "print([n for n in ('hub_config', 'atelier', 'dockerspawner', 'oauthenticator') if u.find_spec(n)])"
    )
    assert run_in(daemon, images[name], "python", "-c", script).strip() == "[]"


@pytest.mark.parametrize("name", list_heirs("workspace"))
def test_its_extensions_are_there_and_switched_on(daemon: Daemon, images: dict[str, str], name: str) -> None:
    said = run_in(daemon, images[name], "jupyter", "server", "extension", "list")
    for extension in ("atelier_lab", "atelier_nbgrader", "jupyter_server_ydoc", "jupyterlab"):
        assert re.search(rf"{extension}\S* .*OK", said), said
    assert "Enabled: False" not in said
    listed = run_in(daemon, images[name], "jupyter", "labextension", "list")
    assert re.search(r"atelier-lab .*enabled.*OK", listed), listed


# Ends the server when it has answered, and else after two minutes.
SERVER = "jupyter lab --no-browser --ServerApp.ip=127.0.0.1"
START_AND_END = f"""
python - <<'END' &
import contextlib, os, pathlib, signal, time, urllib.request
while True:
    with contextlib.suppress(OSError):
        urllib.request.urlopen("http://127.0.0.1:8888/login").read()
        os.kill(int(pathlib.Path("/tmp/server").read_text()), signal.SIGINT)
        break
    time.sleep(0.2)
END
start-workspace sh -c 'echo $$ >/tmp/server; exec timeout -s INT 120 {SERVER}' 2>&1 || true
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("workspace", "personal"), ("workspace", "team"), ("course", "personal")],
)
def test_no_line_of_the_start_is_a_warning(
    daemon: Daemon, images: dict[str, str], name: str, kind: str
) -> None:
    """The server alone, as its kind starts it. What needs hub and service is looked at in tests/docker."""
    told = f"export ATELIER_KIND={kind} ATELIER_COURSE=geo ATELIER_LANGUAGE=bg"
    said = run_in(daemon, images[name], "sh", "-c", f"{told}; {START_AND_END}")
    assert "is running at" in said, said
    assert [line for line in said.splitlines() if TROUBLE.search(line)] == []


# ------------------------------------------------ course
@pytest.mark.parametrize("name", list_heirs("course"))
def test_has_what_isolates_student_code(daemon: Daemon, images: dict[str, str], name: str) -> None:
    assert run_in(daemon, images[name], "bwrap", "--version").startswith("bubblewrap ")


# ------------------------------------------------ hub and service
def test_the_hub_reads_its_configuration(daemon: Daemon, images: dict[str, str]) -> None:
    script = (
        "import hub_config.docker_engine, hub_config.configure, psycopg, jupyterhub_idle_culler; print('ok')"
    )
    assert run_in(daemon, images["hub"], "python", "-c", script).strip() == "ok"
    path = PurePosixPath("/opt/atelier/jupyterhub_config.py")
    assert "configure(" in run_in(daemon, images["hub"], "cat", str(path))


def test_the_hub_speaks_bulgarian(daemon: Daemon, images: dict[str, str]) -> None:
    script = (
        "import hub_config, pathlib; print(len(list(pathlib.Path(hub_config.__file__).parent.rglob('*.po'))))"
    )
    assert int(run_in(daemon, images["hub"], "python", "-c", script)) >= 1


def test_the_service_has_its_pages_texts_templates_and_migrations(
    daemon: Daemon, images: dict[str, str]
) -> None:
    script = (
        "import atelier, os, pathlib; r = pathlib.Path(atelier.__file__).parent\n"
        "need = ['locale/bg/LC_MESSAGES/atelier.po', 'pages/static/vendor/htmx.min.js']\n"
        "print([n for n in need if not (r / n).is_file()])\n"
        "print(len(list(r.rglob('versions/*.py'))) > 0, len(list(r.rglob('*.html'))) > 5)\n"
        "print(len(list(pathlib.Path(os.environ['ATELIER_TEMPLATES_DIR']).glob('*/template.yaml'))) > 0)"
    )
    said = run_in(daemon, images["service"], "python", "-c", script)
    assert said.split("\n")[:3] == ["[]", "True True", "True"]


def test_the_services_commands_start(daemon: Daemon, images: dict[str, str]) -> None:
    assert "web" in run_in(daemon, images["service"], "python", "-m", "atelier", "--help")
