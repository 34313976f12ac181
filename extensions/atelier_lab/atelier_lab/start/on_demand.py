"""Modules that are imported when somebody first needs something of them.

While other modules are imported, a stand-in lies in `sys.modules` in the place of each module that only some
of their functions need. Who asks it for anything gets the real module's; afterwards the stand-ins are taken
out, so that whoever imports such a module later gets the real one.
"""

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

ABSENT = "/nonexistent"


class OnDemand(ModuleType):
    """Stands in for the module of its name. What is given as `known` is there without importing it."""

    def __init__(self, name: str, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # so that modules below it can have stand-ins too
        self.__dict__.update(known or {})

    def __getattr__(self, name: str) -> Any:
        # The import system itself looks for `__spec__` and the like; that is no need.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(load(self.__name__), name)


def load(name: str) -> ModuleType:
    """Import the real module `name`, also while a stand-in has its place."""
    if isinstance(sys.modules.get(name), OnDemand):
        del sys.modules[name]
    return importlib.import_module(name)


class _OfLoadedModule(type):
    """Type of a class whose instances can only exist once its module was imported."""

    def __instancecheck__(cls, instance: Any) -> bool:
        module = sys.modules.get(cls.__module__)
        if module is None or isinstance(module, OnDemand):
            return False
        return isinstance(instance, getattr(module, cls.__name__))


def stand_for_class(module: str, name: str) -> type:
    """Return a class that is good for `isinstance` only."""
    return _OfLoadedModule(name, (), {"__module__": module})


def stand_for_error(module: str, name: str) -> type[Exception]:
    """Return an error that nobody raises, for `except`."""
    return type(name, (Exception,), {"__module__": module})


def stand_for_call(module: str, name: str) -> Any:
    """Return a function that calls the one in `module`."""
    return lambda *args, **kwargs: getattr(load(module), name)(*args, **kwargs)


@contextlib.contextmanager
def without(names: Iterable[str]) -> Iterator[None]:
    """Let imports of `names` fail meanwhile, as if they were not installed. Loaded ones stay."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: Python's word for "not there"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def on_demand(modules: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Put stand-ins in the place of `modules` (name -> what is known of it) that are not imported yet."""
    placed = {name: OnDemand(name, known) for name, known in modules.items() if name not in sys.modules}
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, stand_in in placed.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import without looking for garbage: modules are none, and are not looked at again afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
