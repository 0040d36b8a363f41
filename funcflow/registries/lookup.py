"""What an image runs, and its digest, as its registry has it now. Used by :mod:`funcflow.origins`.

A look-up that comes to nothing is no mistake of whoever makes the function: the nodes may know a
way that we do not. It says why, and the function is made all the same.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from funcflow import errors, images
from funcflow.egress import addresses
from funcflow.egress import client as egress
from funcflow.registries import credentials, references
from funcflow.registries.client import Absent, Repository, Unknown

LOG = logging.getLogger(__name__)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    #: Of what the name stands for: one image, or one for each platform.
    digest: str
    #: ENTRYPOINT and CMD, one after the other; empty where the image says neither.
    entrypoint: tuple[str, ...]


class Registries:
    """The registries that this installation asks."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises errors.ConfigError: a network, the certificates or credentials cannot be read"""
        self._own = conf.registries
        guard = addresses.Guard(addresses.networks(self._own.allow))
        self._client = egress.Client(guard, self._own.ca)
        credentials.of(self._own.credentials, "")

    def find(self, image: str) -> Found:
        """:raises errors.BadRequest: ``image_not_found``: its registry has no such image
        :raises Unknown: nobody told; the text says why
        """
        reference = references.parse(image)
        try:
            return _look(self._repository(reference), reference.version)
        except Absent as exc:
            raise errors.BadRequest(
                str(exc),
                code="image_not_found",
                hint="Push it first, or correct its name or tag.",
            ) from exc
        except errors.ConfigError as exc:
            LOG.warning("%s", exc.message)
            raise Unknown("the credentials of registries cannot be read") from exc
        except errors.FuncflowError as exc:
            raise Unknown(exc.message) from exc

    def _repository(self, reference: references.Reference) -> Repository:
        return Repository(
            self._client,
            reference,
            deadline=time.monotonic() + self._own.timeout,
            basic=credentials.of(self._own.credentials, reference.registry),
            insecure=reference.registry in self._own.insecure,
        )


def _look(repository: Repository, version: str) -> Found:
    digest, manifest = repository.manifest(version)
    if isinstance(manifest.get("manifests"), list):
        _, manifest = repository.manifest(_of_a_platform(manifest["manifests"]))
    described = manifest.get("config")
    if not isinstance(described, Mapping):
        raise Unknown("the registry has the image in a form of long ago")
    config = repository.blob(str(described.get("digest"))).get("config") or {}
    words = [*_words(config, "Entrypoint"), *_words(config, "Cmd")]
    if words and not images.is_command(words):
        raise Unknown("what the image runs is longer than a command may be")
    return Found(digest=digest, entrypoint=tuple(words))


def _of_a_platform(manifests: Sequence[Mapping[str, Any]]) -> str:
    """The digest of the image for Linux on a machine like ours, else of any for Linux: what runs
    in it is rarely another."""
    machine = platform.machine()
    wanted = _MACHINES.get(machine, machine)
    try:
        linux = [each for each in manifests if each["platform"]["os"] == "linux"]
        linux.sort(key=lambda each: bool(each["platform"].get("architecture") != wanted))
        return str(linux[0]["digest"])
    except (KeyError, TypeError, AttributeError, IndexError) as exc:
        raise Unknown("the image is not for Linux") from exc


def _words(config: Any, name: str) -> list[str]:
    words = config.get(name) if isinstance(config, Mapping) else None
    if words is None:
        return []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unknown(f"the image's {name} is no list of words")
    return words
