"""Documentation that cannot rot: links resolve, environment variables and log messages are documented."""

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("extensions/*/README.md"),
        *ROOT.glob("course_templates/*/README.md"),
    ]
    if "node_modules" not in page.parts
)
TABLES_AND_MODULES = {"roster_change", "refusals", "hub_identity"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s#]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_project_lead_somewhere(page: Path) -> None:
    targets = [match[1] for match in LINK.finditer(page.read_text(encoding="utf-8"))]
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing, f"{page.relative_to(ROOT)} links to nothing: {missing}"


def test_every_decision_states_its_reason() -> None:
    pages = [page for page in (ROOT / "docs/decisions").glob("*.md") if page.name != "README.md"]
    assert pages
    for page in pages:
        assert len(page.read_text(encoding="utf-8").split()) > 60, (
            f"{page.name} is too short to give a reason"
        )


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs/decisions"
    listed = {match[1] for match in LINK.finditer((folder / "README.md").read_text(encoding="utf-8"))}
    missing = {page.name for page in folder.glob("*.md")} - listed - {"README.md"}
    assert not missing, f"give each a line in docs/decisions/README.md: {sorted(missing)}"


def test_a_file_that_the_facts_name_exists() -> None:
    """A name may be short (`steward/hub.py`), as long as a file of the project ends in it."""
    text = (ROOT / "docs/facts.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w.*-]+/[\w./*-]+\.(?:py|sh|json|txt))`", text))
    ours = [f"/{name}" for name in list_files()]
    missing = [name for name in named if not any(fnmatch(file, f"*/{name}") for file in ours)]
    assert len(named) > 20
    assert not missing, f"docs/facts.md names what is not there: {sorted(missing)}"


def test_no_file_of_code_is_longer_than_400_lines() -> None:
    """A longer one has two subjects. Steps of the database stay as they were once released."""
    code = [name for name in list_files() if name.endswith((".py", ".ts", ".tsx", ".mjs", ".sh", ".css"))]
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in code}
    long = {name: n for name, n in lengths.items() if n > 400 and "/migrations/versions/" not in name}
    assert len(code) > 300
    assert not long


def test_a_page_that_the_code_names_exists() -> None:
    named = {
        (name, page)
        for name in list_files()
        if name.endswith((".py", ".ts", ".tsx", ".mjs", ".sh", ".yaml", ".template", "Makefile"))
        for page in re.findall(r"\bdocs/[\w./-]+\.md", (ROOT / name).read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    missing = [f"{name}: {page}" for name, page in sorted(named) if not (ROOT / page).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_tests_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    folders = "bench|demo|deploy|docs|extensions|front|hub_config|images|monitoring|requirements|setup|tests"
    files = re.findall(rf"`((?:{folders})/[A-Za-z0-9_./-]+)`", text)
    missing = [name for name in files if not (ROOT / name).exists()]
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    missing += [
        name
        for name in re.findall(r"`(test_[a-z0-9_]{12,})`", text)
        if f"def {name}(" not in tests and not list((ROOT / "tests").rglob(f"{name}.py"))
    ]
    assert not missing, f"{page.relative_to(ROOT)} names what is not there: {missing}"


def test_the_map_of_the_house_names_every_folder() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The map of the house")[2]
    folders = {name.partition("/")[0] for name in list_files() if "/" in name and not name.startswith(".")}
    assert sorted(folder for folder in folders if f"{folder}/" not in shown) == []


def list_files() -> list[str]:
    """Return the project's files, as git has them."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_project_names_no_registry_and_no_place_on_somebodys_machine() -> None:
    words = re.compile(rb"files\.pythonhosted|registry\.npmjs|registry\.yarnpkg|(?<![\w}])/(?:work|root)/\w")
    binary = {".png", ".gz"}
    found = {
        name: hit[0]
        for name in list_files()
        if Path(name).suffix not in binary and name != "tests/unit/test_docs.py"
        if (hit := words.search((ROOT / name).read_bytes()))
    }
    assert not found


def test_the_walk_names_functions_that_are_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    walk = page.partition("## The walk\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(?:[A-Za-z_]+\.)*([A-Za-z_]{4,})`", walk)) - TABLES_AND_MODULES
    source = "\n".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in list_files()
        if name.startswith(("extensions/", "hub_config/")) and name.endswith(".py")
    )
    gone = [name for name in named if not re.search(rf"\b(def|class) {name}\b", source)]
    assert len(named) > 40
    assert not gone, f"docs/architecture.md walks through what is not there: {sorted(gone)}"


def test_no_test_aims_beyond_this_machine() -> None:
    """ "No internet" is shown with a host that the test itself made (tests/docker/world.py)."""
    public = re.compile(r"(?<![\d.])(1\.1\.1\.1|8\.8\.[48]\.[48]|9\.9\.9\.9|169\.254\.169\.254)(?![\d.])")
    aimed = [page.name for page in (ROOT / "tests").rglob("*.py") if public.search(page.read_text("utf-8"))]
    assert not aimed
