"""Documentation that cannot rot: links resolve, environment variables and log messages are documented."""

import re
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


def test_no_page_names_a_package_registry_host_or_a_local_path() -> None:
    words = re.compile(r"files\.pythonhosted|registry\.npmjs|registry\.yarnpkg|deb\.debian\.org")
    for page in PAGES:
        assert not words.search(page.read_text(encoding="utf-8")), page
