"""Reading a YAML file into plain data while keeping the line of every key, and finding duplicate keys.

ruamel.yaml's loaders stop at the first duplicate key; an operator wants to hear of all problems at once.
So the composed nodes (ruamel's parser and YAML 1.2 types) are walked here.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file: where, what, and how to repair it."""

    line: int
    path: str
    fact: str
    repair: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path or 'top level'}: {self.fact}. Repair: {self.repair}."


@dataclass
class Document:
    """Plain data of a YAML file; `lines` maps each path to its line (counted from 1)."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def find_line(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest parent that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add_problem(self, path: Path, fact: str, repair: str) -> None:
        self.problems.append(Problem(self.find_line(path), show_path(path), fact, repair))


def show_path(path: Path) -> str:
    """Return the dotted form of a path, e.g. ``schools.primer.domains.0``."""
    return ".".join(str(part) for part in path)


def read_yaml(text: str) -> Document:
    """Parse one YAML document. A decimal number becomes a Decimal, a sequence a tuple."""
    document = Document()
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        fact = f"not readable as YAML: {error.problem or error.context}"
        document.problems.append(Problem(line, "", fact, "correct the indentation, quotes or brackets there"))
        return document
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        fact = f"the character {chr(error.character)!r} does not belong into YAML"
        document.problems.append(Problem(line, "", fact, "remove it"))
        return document
    document.data = _build(node, (), document) if node is not None else None
    return document


def _build(node: Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if node.anchor is not None:
        document.add_problem(path, "anchors and aliases (& and *) are not used here", "write the value out")
        return None
    if isinstance(node, MappingNode):
        return _build_mapping(node, path, document)
    if isinstance(node, SequenceNode):
        return tuple(_build(child, (*path, at), document) for at, child in enumerate(node.value))
    return _build_scalar(node.tag, node.value, path, document)


def _build_mapping(node: MappingNode, path: Path, document: Document) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
        below = (*path, key)
        if key in result:
            first = document.lines[below]
            line = key_node.start_mark.line + 1
            fact = f"the key stands twice, here and in line {first}"
            document.problems.append(Problem(line, show_path(below), fact, "keep one of the two"))
            continue
        document.lines[below] = key_node.start_mark.line + 1
        result[key] = _build(value_node, below, document)
    return result


def _build_scalar(tag: object, text: str, path: Path, document: Document) -> Any:
    kind = str(tag).removeprefix("tag:yaml.org,2002:")
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0 if text[:2] in ("0x", "0o") else 10)
        if kind == "float":
            return Decimal(text.replace("_", ""))
    except (ValueError, ArithmeticError):
        document.add_problem(path, f"{text!r} is not a number", "write it in plain digits")
        return None
    if kind == "bool":
        return text.lower() == "true"
    return None if kind == "null" else text
