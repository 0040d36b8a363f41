"""From an entry (``main.main``, ``pkg.mod.Class.method``) to something that can be called."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from . import faults

#: How a class offers itself when the entry names the class alone.
METHODS = ("main", "handler", "__call__")


class LoadError(Exception):
    """The entry cannot be had; ``trace`` shows the user's frames when an import failed."""

    def __init__(self, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.trace = trace or []


class Target:
    """A loaded entry and how it wants to be called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        positional = [
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        #: handler(event, context)
        self.is_handler = [p.name for p in positional] == ["event", "context"]
        self.wants_context = not self.is_handler and any(
            p.name == "context" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            for p in parameters
        )

    def call(self, value: Any, context: Any) -> Any:
        """Call it by the rules of the contract; a coroutine is the caller's to run."""
        if self.is_handler:
            return self.function(value, context)
        named = {"context": context} if self.wants_context else {}
        if isinstance(value, dict):
            return self.function(**{**named, **value})
        if value is None:
            return self.function(**named)
        return self.function(value, **named)


def load(package: str, entry: str) -> Target:
    """Import the entry from the package folder.

    :raises LoadError: with a message for the function's author
    """
    parts = entry.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise LoadError(f"entry {entry!r} is not of the form module.function")
    module, rest = _module(package, parts)
    found: Any = module
    for depth, name in enumerate(rest):
        try:
            found = getattr(found, name)
        except AttributeError:
            where = ".".join(parts[: len(parts) - len(rest) + depth])
            raise LoadError(f"{where!r} has no {name!r}{_suggest(found)}") from None
        if inspect.isclass(found):
            found = _instance(package, found, entry, last=depth == len(rest) - 1)
    if not callable(found):
        raise LoadError(f"entry {entry!r} is a {type(found).__name__}, not a function")
    return Target(found)


def _module(package: str, parts: list[str]) -> tuple[Any, list[str]]:
    """The longest importable module of the path, and the names that remain."""
    base = parts[0]
    folder = os.path.join(package, base)
    if not (os.path.isdir(folder) or _is_module(package, base)):
        found = ", ".join(sorted(os.listdir(package))[:10]) or "nothing"
        raise LoadError(f"no module {base!r} in the package (it holds: {found})")
    importlib.invalidate_caches()
    _forget(package, base)
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            if length > 1 and importlib.util.find_spec(name) is None:
                continue
        except ModuleNotFoundError as exc:
            if exc.name and name.startswith(exc.name):
                continue
            raise _failed(package, name, exc) from None
        except BaseException as exc:
            raise _failed(package, name, exc) from None
        try:
            return importlib.import_module(name), parts[length:]
        except BaseException as exc:
            raise _failed(package, name, exc) from None
    raise LoadError(f"no module {parts[0]!r} in the package")


def _failed(package: str, name: str, exc: BaseException) -> LoadError:
    if isinstance(exc, SystemExit):
        return LoadError(f"importing {name!r} ended with exit({exc.code!r})")
    error = faults.describe(exc, package)
    return LoadError(
        f"importing {name!r} failed: {error['type']}: {error['message']}", error["trace"]
    )


def _is_module(package: str, base: str) -> bool:
    names = os.listdir(package)
    return any(
        name == f"{base}.py" or (name.startswith(f"{base}.") and name.endswith(".so"))
        for name in names
    )


def _forget(package: str, base: str) -> None:
    """Let the user's module win over one of the same name the runtime has loaded."""
    loaded = sys.modules.get(base)
    origin = getattr(loaded, "__file__", None) or ""
    if loaded is not None and not origin.startswith(package + os.sep):
        del sys.modules[base]


def _instance(package: str, cls: type, entry: str, last: bool) -> Any:
    """An instance, made once; for an entry that ends at the class, its method."""
    try:
        instance = cls()
    except BaseException as exc:
        error = faults.describe(exc, package)
        raise LoadError(
            f"making a {cls.__name__} failed: {error['type']}: {error['message']}", error["trace"]
        ) from None
    if not last:
        return instance
    for method in METHODS:
        found = getattr(instance, method, None)
        if callable(found):
            return found
    raise LoadError(f"class of entry {entry!r} has none of: {', '.join(METHODS)}")


def _suggest(found: Any) -> str:
    names = [n for n, value in vars(found).items() if callable(value) and not n.startswith("_")]
    return f" (it has: {', '.join(sorted(names)[:10])})" if names else ""
