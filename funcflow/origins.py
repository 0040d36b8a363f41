"""Where a function's code may come from: a package, a source text, an image, an object of Swift.

Used by :mod:`funcflow.deploy`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from funcflow import errors, images, models
from funcflow.options import swift as swift_options
from funcflow.registries.client import Unknown
from funcflow.registries.lookup import Registries
from funcflow.wishes import Wish

if TYPE_CHECKING:
    from funcflow.swift.objects import Objects

LOG = logging.getLogger(__name__)
_SOURCES = ("package", "source", "swift", "image")


class Origins:
    """What this installation allows."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` or ``[registries]`` is wrong
        """
        self._images: list[str] = conf.api.image_functions
        self._limit: int = conf.api.max_package
        self._objects = _objects(conf)
        looks = self._images and conf.registries.lookup
        self._registries = Registries(conf) if looks else None

    def check(self, wish: Wish) -> None:
        """What is wished is of code that can be had.

        :raises errors.BadRequest: it cannot be had, or is two things at once
        :raises errors.Forbidden: an image that the operator does not let run
        """
        if not isinstance(wish.code, Mapping):
            return
        source = wish.code.get("source")
        if source not in _SOURCES:
            raise errors.BadRequest(
                "Invalid code source specified, available sources: "
                f"{', '.join(_SOURCES)} (not {source!r})",
                code="bad_code_source",
            )
        if source == "image":
            self._check_image(wish, wish.code)
        if source == "swift" and (wish.package is not None or wish.source is not None):
            raise errors.BadRequest("code is an object or a package, not both", code="bad_object")

    @contextlib.contextmanager
    def brought(
        self, asker: models.RequestContext, wish: Wish, old: Mapping[str, Any]
    ) -> Iterator[Wish]:
        """The wish, with the package that it names in Swift, which is closed afterwards, or with
        what its image's registry says.

        :param old: the function's code until now; a wish that names no object means the same one
        :raises errors.FuncflowError: see :meth:`funcflow.swift.objects.Objects.fetch` and
            :meth:`funcflow.registries.lookup.Registries.find`
        """
        if isinstance(wish.code, Mapping) and wish.code.get("source") == "image":
            yield dataclasses.replace(wish, code=self._looked_up(wish.code))
            return
        if not isinstance(wish.code, Mapping) or wish.code.get("source") != "swift":
            yield wish
            return
        if self._objects is None:
            raise errors.BadRequest(
                "functions from swift cannot be run here",
                code="unsupported_code_source",
                hint="Send the code as a package.",
            )
        wanted = wish.code.get("swift")
        if wanted is None:
            known = dict(old.get("swift") or {})
            known.pop("etag", None)
            wanted = known
        if not isinstance(wanted, Mapping):
            raise errors.BadRequest("code.swift must be an object", code="bad_object")
        file, found = self._objects.fetch(asker, wanted, self._limit)
        with file:
            yield dataclasses.replace(wish, package=file, code={**wish.code, "swift": found})

    def _looked_up(self, code: Mapping[str, Any]) -> dict[str, Any]:
        """What was wished of an image, and what is known of it."""
        wished = {name: code[name] for name in images.WISHED if code.get(name)}
        if self._registries is None:
            return wished
        try:
            found = self._registries.find(wished["image"])
        except Unknown as exc:
            LOG.info("what the image %s runs is not known: %s", wished["image"], exc)
            return {**wished, "unresolved": str(exc)}
        if not found.entrypoint and "command" not in wished:
            raise images.bad("the image has neither ENTRYPOINT nor CMD, and code no command")
        return {**wished, "digest": found.digest, "entrypoint": list(found.entrypoint)}

    def _check_image(self, wish: Wish, code: Mapping[str, Any]) -> None:
        """Only images that the operator lets run, and nothing beside them."""
        images.check(code, self._images)
        if wish.package is not None or wish.source is not None:
            raise images.bad("code is an image or a package, not both")
        if isinstance(wish.runtime, str):
            raise images.bad("an image brings its own runtime")


def code_of(wished: object, md5sum: str) -> dict[str, Any]:
    """What a revision says of code that came as a zip."""
    if isinstance(wished, Mapping) and wished.get("source") == "swift":
        return {"source": "swift", "swift": dict(wished["swift"]), "md5sum": md5sum}
    return {"source": "package", "md5sum": md5sum}


def _objects(conf: cfg.ConfigOpts) -> Objects | None:
    """None: nobody said where Swift is.

    :raises errors.ConfigError: ``[swift]`` is wrong, or its client is not installed
    """
    if not swift_options.wanted(conf):
        return None
    try:
        from funcflow.swift import objects
    except ImportError as exc:
        raise errors.ConfigError(
            f"[swift] needs more than is installed: {exc}", hint="pip install 'funcflow[swift]'"
        ) from exc
    return objects.Objects(conf)
