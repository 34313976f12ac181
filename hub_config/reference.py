"""The reference of settings as Markdown, generated from the models, so that it cannot differ from them."""

import types
from collections.abc import Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from hub_config.city import City


def describe_city() -> str:
    """Return the reference of the city file: one section for the file and one for each part of it."""
    return "\n".join(_model_section(model, _part_title(model)) for model in _list_parts(City))


def describe_settings(settings: type[BaseSettings]) -> str:
    """Return the reference of one class of settings, which are environment variables."""
    prefix = settings.model_config.get("env_prefix", "")
    lines = [f"## {(settings.__doc__ or settings.__name__).splitlines()[0]}", ""]
    lines += ["| variable | kind | default | meaning |", "|---|---|---|---|"]
    for name, field in settings.model_fields.items():
        lines.append(_row(f"`{(prefix + name).upper()}`", field))
    return "\n".join([*lines, ""])


def describe_all(settings: Iterable[type[BaseSettings]]) -> str:
    """Return the whole page: the city file, then the settings of each process."""
    head = (
        "# Reference of settings\n\n"
        "Generated from the descriptions in the code; a test fails when it is out of date and says how to\n"
        "renew it.\n\n"
        "An environment variable may also be a file of the same lower-case name in the folder\n"
        "`ATELIER_SECRETS_DIR`; secrets belong there, never into the city file.\n"
    )
    return "\n".join([head, describe_city(), *(describe_settings(one) for one in settings)])


def _list_parts(model: type[BaseModel], seen: list[type[BaseModel]] | None = None) -> list[type[BaseModel]]:
    seen = [] if seen is None else seen
    if model not in seen:
        seen.append(model)
        for field in model.model_fields.values():
            for part in _models_in(field.annotation):
                _list_parts(part, seen)
    return seen


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _part_title(model: type[BaseModel]) -> str:
    return "The city file" if model is City else f"{model.__name__} (part of the city file)"


def _model_section(model: type[BaseModel], title: str) -> str:
    lines = [f"## {title}", "", (model.__doc__ or "").strip(), ""]
    lines += ["| key | kind | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name != "id":  # a school's id is its key
            lines.append(_row(f"`{name}`", field))
    return "\n".join([*lines, ""])


def _row(shown_name: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"{shown_name} has no description; give its Field one")
    cells = (shown_name, _kind(field.annotation), _default(field), field.description)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    args = [arg for arg in get_args(annotation) if arg is not Ellipsis]
    if origin in (Union, types.UnionType):
        return " or ".join("absent" if arg is type(None) else _kind(arg) for arg in args)
    if origin is tuple:
        return f"list of {_kind(args[0])}"
    if origin is not None and args and all(isinstance(arg, str) for arg in args):
        return " or ".join(f"`{arg}`" for arg in args)
    if origin is not None and hasattr(annotation, "__metadata__"):
        return _kind(args[0])
    if origin is not None:
        return f"mapping of {_kind(args[0])} to {_kind(args[1])}"
    names = {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "Decimal": "number",
        "SecretStr": "secret",
    }
    name = str(annotation.__name__)
    return names.get(name, name)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, BaseModel):
        changed = ", ".join(
            f"{name}: {value}" for name, value in field.default.model_dump(exclude_unset=True).items()
        )
        return changed or "see below"
    if isinstance(field.default, tuple):
        return "see meaning"
    return "none" if field.default is None else f"`{field.default}`"
