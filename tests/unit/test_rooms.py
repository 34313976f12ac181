"""The walls inside the service: a room uses of another only what that room's `__init__` offers."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "extensions" / "atelier" / "atelier"
ROOMS = sorted(folder.name for folder in SERVICE.iterdir() if (folder / "__init__.py").exists())
# The tables are what the rooms share: every room may name them.
OPEN_TO_ALL = {"atelier.store.models"}


def list_imports(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of every import in `file`; a plain ``import a.b`` has no name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def list_offered(room: str) -> set[str]:
    """Return `__all__` of a room."""
    for node in ast.parse((SERVICE / room / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def find_trespass(room: str, module: str, name: str) -> str | None:
    """Return what an import by `room` takes from inside another room, or None when it is offered."""
    _, _, below = module.partition("atelier.")
    other, _, inside = below.partition(".")
    if not module.startswith("atelier.") or other not in ROOMS or other == room or module in OPEN_TO_ALL:
        return None
    return f"{module}.{name}" if inside or name not in list_offered(other) else None


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_takes_from_another_only_what_that_one_offers(room: str) -> None:
    taken = {
        f"{file.relative_to(SERVICE)}: {trespass}"
        for file in (SERVICE / room).rglob("*.py")
        if "migrations" not in file.parts
        for module, name in list_imports(file)
        if (trespass := find_trespass(room, module, name))
    }
    assert not taken, "offer it in that room's __init__, or ask for something that is offered"


def test_pages_ask_the_rooms_and_put_no_questions_to_the_database_themselves() -> None:
    """But for sessions of browsers, which are the pages' own."""
    allowed = {("sqlalchemy.orm", "Session")}
    taken = {
        f"{file.name}: {module}.{name}"
        for file in (SERVICE / "pages").rglob("*.py")
        if file.name != "visitors.py"
        for module, name in list_imports(file)
        if module.partition(".")[0] == "sqlalchemy" and (module, name) not in allowed
    }
    assert not taken, "write a function of the room whose tables these are"


@pytest.mark.parametrize("folder", ["bench", "demo", "deploy", "front", "images", "hub_config"])
def test_what_stands_beside_the_service_takes_only_what_its_rooms_offer(folder: str) -> None:
    taken = {
        f"{file.relative_to(ROOT)}: {trespass}"
        for file in (ROOT / folder).rglob("*.py")
        for module, name in list_imports(file)
        if (trespass := find_trespass(folder, module, name))
    }
    assert not taken, "offer it in that room's __init__, or ask for something that is offered"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("atelier.roster.people", "deactivate"),
        ("atelier.roster", "people"),
        ("atelier.store.ids", "new_id"),
        ("atelier.marks", "no_such_name"),
        ("atelier.exchange.archive", ""),
    ],
)
def test_a_trespass_is_seen(module: str, name: str) -> None:
    assert find_trespass("pages", module, name)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("atelier.roster", "deactivate"),
        ("atelier.store.models", "Person"),
        ("atelier.pages.site", "Site"),
        ("atelier.services", "Services"),
        ("fastapi", "Request"),
    ],
)
def test_what_is_offered_may_be_taken(module: str, name: str) -> None:
    assert find_trespass("pages", module, name) is None
