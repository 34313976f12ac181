"""The locks: what installs is exactly what was read, from any registry, without what slows every start."""

import importlib.util
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
LOCKS.remove(REQUIREMENTS / "excluded.txt")


def list_pins(lock: Path) -> dict[str, str]:
    """Return name → version of each package that a lock names."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE))


def test_there_is_a_lock_for_each_list() -> None:
    assert [lock.stem for lock in LOCKS] == sorted(path.stem for path in REQUIREMENTS.glob("*.in"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_has_a_version_and_hashes(lock: Path) -> None:
    entries = [e for e in re.split(r"\n(?=[A-Za-z0-9])", lock.read_text()) if not e.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ \\\n", entry), f"no exact version: {entry[:60]!r}"
        assert "--hash=sha256:" in entry, f"no hash: {entry[:60]!r}"


@pytest.mark.parametrize("lock", [*LOCKS, REPOSITORY / "package-lock.json"], ids=lambda lock: lock.name)
def test_no_lock_names_the_registry_it_came_from(lock: Path) -> None:
    text = lock.read_text()
    assert "index-url" not in text
    assert "find-links" not in text
    assert not re.findall(r'"resolved": "https?://[^"]*"', text)
    if lock.suffix == ".txt":
        assert "://" not in text


def test_the_sidebars_lock_names_no_registry() -> None:
    text = (REPOSITORY / "extensions" / "atelier_lab" / "yarn.lock").read_text()
    assert not re.findall(r"^ +resolution: .*https?://.*", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_rfc3987_syntax_is_in_no_lock(lock: Path) -> None:
    assert "rfc3987-syntax" not in {name.replace("_", "-").lower() for name in list_pins(lock)}


def test_rfc3987_syntax_cannot_be_imported() -> None:
    assert importlib.util.find_spec("rfc3987_syntax") is None, "1.3-1.7 s at each start: make clean run"


def test_an_upgrade_cannot_bring_rfc3987_syntax_back() -> None:
    excluded = (REQUIREMENTS / "excluded.txt").read_text().splitlines()
    assert "rfc3987-syntax" in excluded
    compiles = [line for line in read_target("lock").splitlines() if "compile $$name.in" in line]
    assert compiles
    assert all("--excludes excluded.txt" in line for line in compiles)


def test_locked_packages_are_installed_without_their_dependencies() -> None:
    """Only `--no-deps` (or uv's `sync`) keeps an installer from adding what a lock leaves out."""
    text = (REPOSITORY / "Makefile").read_text().replace("\\\n", " ")
    commands = re.split(r"[;{}\n]|\|\|", text)
    installs = [c for c in commands if re.search(r"(install|sync) .*requirements/\w+\.txt", c)]
    assert len(installs) >= 4
    assert all("--no-deps" in line or " sync " in line for line in installs)
    assert all("--require-hashes" in line or "$(LOCKED)" in line for line in installs)


def test_locks_agree_on_every_version() -> None:
    run, test = (list_pins(REQUIREMENTS / f"{name}.txt") for name in ("run", "test"))
    assert {name: test.get(name) for name in run} == run
    for part in ("bootstrap", "hub", "service", "workspace", "proxy"):
        pins = list_pins(REQUIREMENTS / f"{part}.txt")
        assert {name: run.get(name) for name in pins} == pins, part


def read_target(name: str) -> str:
    """Return the rule of a target, continuation lines joined."""
    text = (REPOSITORY / "Makefile").read_text().replace("\\\n", " ")
    found = re.search(rf"^{name}:.*\n((?:\t.*\n)+)", text, flags=re.MULTILINE)
    assert found, f"no target {name}"
    return found[1]
