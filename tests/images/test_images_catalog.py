"""The list of images is the one truth about which there are and what each is made of."""

import gettext
import zipfile
from pathlib import Path

import pytest

from images.build import BuildFailed, fill_context, list_with_parents
from images.catalog import IMAGES, REPOSITORY, list_family, load_images

ALL = load_images()


def test_every_image_has_a_dockerfile_and_a_readme() -> None:
    folders = {path.parent.name for path in IMAGES.glob("*/Dockerfile")}
    assert folders == set(ALL)
    assert {path.parent.name for path in IMAGES.glob("*/README.md")} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_no_dockerfile_names_a_parent_or_a_machine(name: str) -> None:
    text = (IMAGES / name / "Dockerfile").read_text()
    assert all(line.split()[1] == "${PARENT}" for line in text.splitlines() if line.startswith("FROM "))
    assert not any(word in text for word in ("http://", "https://", "/root", "/work/", "pip.conf"))


@pytest.mark.parametrize("name", ALL)
def test_every_dockerfile_can_be_built_by_the_classic_builder_too(name: str) -> None:
    """Docker's newer clients have no other without the plug-in buildx."""
    text = (IMAGES / name / "Dockerfile").read_text()
    assert not any(word in text for word in ("--mount", "--chmod", "--link", "<<", "# syntax"))


def test_what_installs_is_made_once_for_all_images() -> None:
    """The same lines on the same parent are the same step for a builder."""
    files = [(IMAGES / name / "Dockerfile").read_text() for name, image in ALL.items() if image.lock]
    assert len(files) > 1
    assert len({text[text.index("ARG PARENT") : text.index("bootstrap.txt\nCOPY")] for text in files}) == 1


def test_a_plain_debian_tag_is_the_only_foreign_parent() -> None:
    assert {image.parent for image in ALL.values() if image.parent not in ALL} == {"debian:bookworm-slim"}


def test_a_child_before_its_parent_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "images.yaml"
    wrong.write_text("child: {parent: base, title: t, description: d}\n")
    with pytest.raises(ValueError, match="child stands before its parent base"):
        load_images(wrong)


def test_an_image_is_built_with_its_parents_and_no_others() -> None:
    assert list_with_parents(ALL, ["course"]) == ["base", "workspace", "course"]


def test_an_unknown_image_is_named_with_those_that_exist() -> None:
    with pytest.raises(BuildFailed, match=r"no image 'studio'.*workspace"):
        list_with_parents(ALL, ["studio"])


def test_locks_and_packages_exist() -> None:
    for image in ALL.values():
        assert image.lock is None or (REPOSITORY / "requirements" / image.lock).is_file()
        assert all((REPOSITORY / package / "pyproject.toml").is_file() for package in image.packages)


@pytest.mark.parametrize("name", ALL)
def test_a_context_holds_nothing_that_was_not_asked_for(tmp_path: Path, name: str) -> None:
    image = ALL[name]
    fill_context(image, tmp_path)
    asked = {path.name for path in image.folder.iterdir()} | {*image.folders, *image.files}
    if image.lock:
        asked |= {image.lock, "bootstrap.txt", "build_environment.sh"}
    if image.packages:
        asked.add("wheels")
    assert {path.name for path in tmp_path.iterdir()} == asked


def test_no_wheel_knows_when_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is packed bears one day of the past, or each build would make new layers of 400 MB."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    fill_context(ALL["workspace"], tmp_path)
    catalogs = []
    for wheel in (tmp_path / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            assert {member.date_time[:3] for member in packed.infolist()} == {(2020, 2, 2)}, wheel.name
            for name in packed.namelist():
                if name.endswith(".mo"):
                    with packed.open(name) as catalog:
                        catalogs.append(gettext.GNUTranslations(catalog).info())
    assert catalogs
    dates = [catalog[key] for catalog in catalogs for key in ("pot-creation-date", "po-revision-date")]
    assert {date.partition(" ")[0] for date in dates} == {"2020-02-02"}


def test_the_hub_is_no_part_of_a_workspace() -> None:
    parts = {package for image in list_family(ALL, "course") for package in image.packages}
    assert parts == {
        "extensions/atelier_lab",
        "extensions/atelier_nbgrader",
        "extensions/atelier_widgets",
    }
