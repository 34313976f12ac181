"""Reads `images.yaml`: which images there are, from which parents, made of what."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

IMAGES = Path(__file__).resolve().parent
REPOSITORY = IMAGES.parent


class Image(BaseModel):
    """One image. `parent` is another image's name or a public tag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    parent: str
    title: str
    description: str
    lock: str | None = None
    packages: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return IMAGES / self.name


def load_images(path: Path = IMAGES / "images.yaml") -> Mapping[str, Image]:
    """Return the images by name, parents before children. Raises ValueError when the order is another."""
    images: dict[str, Image] = {}
    for name, content in YAML(typ="safe").load(path).items():
        image = Image(name=name, **content)
        if ":" not in image.parent and image.parent not in images:
            raise ValueError(f"{path}: {name} stands before its parent {image.parent}; move it below")
        images[name] = image
    return images


def list_family(images: Mapping[str, Image], name: str) -> Iterator[Image]:
    """The image itself, its parent, the parent's parent: as far as they are ours."""
    while name in images:
        yield images[name]
        name = images[name].parent


def find_version() -> str:
    """The version that images are tagged with: that of the whole project."""
    return str(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"])


def name_tag(name: str, version: str | None = None) -> str:
    """``atelier-<name>:<version>``."""
    return f"atelier-{name}:{version or find_version()}"
